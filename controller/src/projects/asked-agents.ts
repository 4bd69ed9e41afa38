import { BerthError, type UnsavedWork } from "@berth/protocol";
import type { AgentRegistry } from "../agents/registry.ts";
import { WorkspaceConnections } from "../files/workspace-calls.ts";
import { noWork } from "./unsaved.ts";

/** Looks by the agents' links whether sandboxes have work that is nowhere else, which costs no sign-in. */
export class AskedAgents {
  readonly #registry: Pick<AgentRegistry, "get">;
  readonly #connections = new WorkspaceConnections();

  constructor(registry: Pick<AgentRegistry, "get">) {
    this.#registry = registry;
  }

  /**
   * What is unsaved there. That there is nothing is certain; something may only seem to be there because a filter of the
   * repository was not run. Undefined: there are repositories in folders, or the agent is away, or too old for the question.
   */
  async unsaved(sandboxId: string, signal: AbortSignal): Promise<UnsavedWork | undefined> {
    const link = this.#registry.get(sandboxId);
    if (!link) return undefined;
    try {
      return { ...noWork, ...(await this.#connections.ask(link, "gitUnsaved", {}, { signal })) };
    } catch (error) {
      // There is no repository.
      return error instanceof BerthError && error.code === "not_found" ? noWork : undefined;
    }
  }
}
