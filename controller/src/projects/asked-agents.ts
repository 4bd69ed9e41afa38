import { BerthError } from "@berth/protocol";
import type { AgentRegistry } from "../agents/registry.ts";
import { WorkspaceConnections } from "../files/workspace-calls.ts";

/** Looks by the agents' links whether sandboxes have work that is nowhere else, which costs no sign-in. */
export class AskedAgents {
  readonly #registry: Pick<AgentRegistry, "get">;
  readonly #connections = new WorkspaceConnections();

  constructor(registry: Pick<AgentRegistry, "get">) {
    this.#registry = registry;
  }

  /**
   * Whether nothing is unsaved there. False wherever that is not certain: something is, or seems to be because a filter
   * of the repository was not run; the agent is away, or too old for the question.
   */
  async haveNothing(sandboxId: string, signal: AbortSignal): Promise<boolean> {
    const link = this.#registry.get(sandboxId);
    if (!link) return false;
    try {
      const { commits, stashes, files } = await this.#connections.ask(link, "gitUnsaved", {}, { signal });
      return commits + stashes + files === 0;
    } catch (error) {
      // There is no repository.
      return error instanceof BerthError && error.code === "not_found";
    }
  }
}
