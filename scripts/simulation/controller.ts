import { attachParams, attachQuerySchema } from "@berth/protocol";
import { linkVersion } from "@berth/protocol/link";
import { Value } from "typebox/value";
import { AgentLink } from "../../controller/src/agents/link.ts";
import { AgentRegistry } from "../../controller/src/agents/registry.ts";
import { watchHeartbeat } from "../../controller/src/heartbeat.ts";
import { serveViewer } from "../../controller/src/terminals/viewer.ts";
import { SimulatedProcess } from "./process.ts";
import type { SimulatedWebSocket } from "./web-socket.ts";
import type { World } from "./world.ts";

const sandboxId = `sbx_${"1".repeat(20)}`;
const heartbeatMs = 15_000;

/** A controller's process: the real registry, agent link and viewers. */
export class ControllerProcess {
  readonly process: SimulatedProcess;
  readonly #world: World;
  readonly #registry: AgentRegistry;

  constructor(world: World) {
    this.#world = world;
    this.process = new SimulatedProcess("controller", world.time);
    this.#registry = new AgentRegistry(world.time);
  }

  /** An agent has dialled. */
  acceptAgent(socket: SimulatedWebSocket): void {
    const registry = this.#registry;
    const link = new AgentLink({
      sandboxId,
      // biome-ignore lint/suspicious/noExplicitAny: stands in for a socket of ws.
      socket: socket as any,
      onHello: async (greeted) => {
        setImmediate(() => {
          if (greeted.open) registry.put(greeted);
        });
        return { linkVersion, env: {}, heartbeatMs };
      },
      onTerminal: () => {},
      onFrame: () => {},
      onActivity: () => {},
      onViolation: (reason) => this.#world.failed(new Error(`the agent broke the rules of the link: ${reason}`)),
    });
    // biome-ignore lint/suspicious/noExplicitAny: stands in for a socket of ws.
    watchHeartbeat(socket as any, heartbeatMs);
    socket.once("close", () => registry.remove(link));
  }

  /** A browser has dialled `/api/v1/terminals/<id>/attach?…`. */
  acceptViewer(socket: SimulatedWebSocket, path: string): void {
    const { pathname, searchParams } = new URL(path, "http://berth");
    const query = Value.Convert(attachQuerySchema, Object.fromEntries(searchParams));
    if (!Value.Check(attachQuerySchema, query)) throw new Error(`not a query: ${path}`);
    const params = attachParams(pathname.split("/")[4] ?? "", query);
    const dependencies = { registry: this.#registry, made: async () => {}, hold: () => () => {} };
    // biome-ignore lint/suspicious/noExplicitAny: stands in for a socket of ws.
    serveViewer(socket as any, dependencies, sandboxId, params).catch(this.#world.failed);
  }

  kill(): void {
    this.process.kill();
  }
}
