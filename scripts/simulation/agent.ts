import { type agentInterface, type Channel, type Handlers, relay } from "@berth/protocol/link";
import { ControllerLink } from "../../agent/src/agent/controller-link.ts";
import { PtyHostLink } from "../../agent/src/agent/pty-host-link.ts";
import { SimulatedProcess } from "./process.ts";
import type { World } from "./world.ts";

/** Nobody calls the agent here. */
const unavailable = () => Promise.reject(new Error("not simulated"));
const noCalls: Handlers<typeof agentInterface> = {
  setEnvironment: unavailable,
  listTerminals: unavailable,
  ensureTerminal: unavailable,
  removeTerminal: unavailable,
  input: unavailable,
  resize: unavailable,
  screen: unavailable,
  activity: unavailable,
};

/** An agent's process: the real links and the real relay between them. */
export class AgentProcess {
  readonly process: SimulatedProcess;
  readonly #world: World;
  readonly #ended = new AbortController();
  readonly #ptyHost: PtyHostLink;
  readonly #link: ControllerLink;

  constructor(world: World) {
    this.#world = world;
    this.process = new SimulatedProcess("agent", world.time);
    const { log, time: clock } = world;
    this.#ptyHost = new PtyHostLink({
      path: "pty.sock",
      clock,
      log,
      onTerminal: (status) => link.tellTerminal(status),
    });
    const link = new ControllerLink({
      config: () => world.agentConfig,
      clock,
      log,
      handlers: noCalls,
      hello: async () => ({
        agentVersion: "0",
        bootId: "boot",
        machineId: "0".repeat(32),
        terminals: await this.#ptyHost.call("list", {}),
      }),
      onWelcome: async () => {},
      onOpen: (channel, kind, params) => this.#open(channel, kind, params),
      onLink: () => {},
    });
    this.#link = link;
  }

  start(): void {
    const { signal } = this.#ended;
    this.process.run(() => {
      this.#ptyHost.run(() => this.#resumeLost(), signal).catch(this.#world.failed);
      // There are terminals, so the agent waits for them before it says hello.
      this.#ptyHost
        .want()
        .then(() => this.#link.run(signal))
        .catch(this.#world.failed);
    });
  }

  kill(): void {
    this.process.kill();
  }

  /** As the agent does with conversations: a program that went with its PTY host is started anew under the next epoch. */
  async #resumeLost(): Promise<void> {
    const known = await this.#ptyHost.call("list", {});
    for (const { id, cols, rows } of this.#world.wantedTerminals) {
      const status = known.find((terminal) => terminal.id === id);
      if (status && !(status.lost && this.#world.resumes)) continue;
      const epoch = (status?.epoch ?? 0) + 1;
      await this.#ptyHost.call("start", { id, epoch, argv: [id, String(epoch)], cwd: "/", env: {}, cols, rows });
    }
  }

  #open(channel: Channel, kind: string, params: unknown): void {
    const inner = this.#ptyHost.open(kind, params);
    if (inner) relay(channel, inner);
    else channel.close({ code: "pty_host_unavailable", detail: "the PTY host is not running" });
  }
}
