import type { Clock } from "@berth/base";
import { type ChangeBell, isFollowed } from "@berth/sync";
import type { AgentLink } from "../agents/link.ts";
import type { AgentRegistry } from "../agents/registry.ts";
import { recordsOf } from "../files/records.ts";
import type { WorkspaceConnections } from "../files/workspace-calls.ts";

export interface AgentChangesDependencies {
  readonly registry: Pick<AgentRegistry, "waitFor">;
  readonly connections: Pick<WorkspaceConnections, "open">;
  readonly clock: Clock;
}

/** For how long an agent that is away is waited for at a time, in milliseconds. */
const waitMs = 60_000;
/** After an agent that does not watch, or not any more, in milliseconds. */
const againMs = 1_000;

/** The changes in a workspace that its agent tells of, while there is one. */
export class AgentChanges {
  readonly #deps: AgentChangesDependencies;
  readonly #bell: ChangeBell;
  #whole = false;

  constructor(dependencies: AgentChangesDependencies, bell: ChangeBell) {
    this.#deps = dependencies;
    this.#bell = bell;
  }

  /** Whether the agent watches every folder now. */
  get whole(): boolean {
    return this.#whole;
  }

  /** Listens until the signal aborts: to each agent that comes. */
  async listen(sandboxId: string, signal: AbortSignal): Promise<void> {
    const { registry, clock } = this.#deps;
    while (!signal.aborted) {
      const link = await registry.waitFor(sandboxId, waitMs, signal);
      if (!link) continue;
      // The link was cut, or the agent has as much to do as it may: there are other ways to look meanwhile.
      await this.#listenTo(link, signal).catch(() => {});
      this.#whole = false;
      await clock.sleep(againMs, signal).catch(() => {});
    }
  }

  async #listenTo(link: AgentLink, signal: AbortSignal): Promise<void> {
    const { answer, body } = await this.#deps.connections.open(link, "watch", { path: "" }, { signal });
    this.#whole = !answer.partial;
    // What has changed while nobody watched.
    this.#bell.ring();
    for await (const record of recordsOf("watch", body.chunks({ quiet: true }))) {
      if ("overflow" in record || record.changed.some(concerns)) this.#bell.ring();
    }
  }
}

function concerns(path: string): boolean {
  return isFollowed(Buffer.from(path, "base64url").toString("latin1"));
}
