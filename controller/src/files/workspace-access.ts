import { BerthError } from "@berth/protocol";
import type { FastifyReply } from "fastify";
import type { AgentRegistry } from "../agents/registry.ts";
import type { SandboxLookup } from "../sandboxes/lookup.ts";
import type { SandboxRow } from "../sandboxes/record.ts";
import type { Sleepers } from "../sleep/waking.ts";
import type { WorkspaceConnections, WorkspaceLink } from "./workspace-calls.ts";

export interface WorkspaceAccessDependencies {
  lookup: Pick<SandboxLookup, "own">;
  registry: Pick<AgentRegistry, "get">;
  sleepers: Pick<Sleepers, "awaken">;
  connections: WorkspaceConnections;
  /** Aborted when the server begins to close. */
  closing: AbortSignal;
}

/** The way to the workspaces of one's own sandboxes. */
export class WorkspaceAccess {
  readonly connections: WorkspaceConnections;
  readonly #deps: WorkspaceAccessDependencies;

  constructor(dependencies: WorkspaceAccessDependencies) {
    this.#deps = dependencies;
    this.connections = dependencies.connections;
  }

  /** The link to the agent of a user's own sandbox, woken if it sleeps. Throws `not_found`, or `sandbox_not_ready`. */
  async linkTo(reference: string, userId: string, signal?: AbortSignal): Promise<WorkspaceLink> {
    const row = await this.#deps.lookup.own(reference, userId);
    await this.#deps.sleepers.awaken(row.id, signal ? { signal } : {});
    return this.#linkOf(row);
  }

  /** The same without a use of it: one that sleeps is `sandbox_not_ready`. For who just watches, and comes back by himself. */
  async linkIfAwake(reference: string, userId: string): Promise<WorkspaceLink> {
    return this.#linkOf(await this.#deps.lookup.own(reference, userId));
  }

  #linkOf(row: SandboxRow): WorkspaceLink {
    const link = this.#deps.registry.get(row.id);
    if (link) return link;
    throw new BerthError("sandbox_not_ready", "The sandbox's agent is not connected.", {
      hint: "Start the sandbox, or wait until its state is ready.",
    });
  }

  /** Aborts when the client has gone, or the server closes. */
  goneOf(reply: FastifyReply): AbortSignal {
    const gone = new AbortController();
    reply.raw.once("close", () => gone.abort());
    return AbortSignal.any([gone.signal, this.#deps.closing]);
  }
}
