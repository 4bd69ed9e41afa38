import { ChangeBell, type ChangeSource, notFollowed } from "@berth/sync";
import { connectSsh, type SshConnection } from "../bootstrap/connect.ts";
import type { SandboxRow } from "../sandboxes/record.ts";
import { workspaceOf } from "../ssh/guest-place.ts";
import type { SandboxSsh } from "../ssh/sandbox-ssh.ts";
import { AgentChanges, type AgentChangesDependencies } from "./agent-changes.ts";

export interface GuestChangesDependencies extends AgentChangesDependencies {
  readonly ssh: Pick<SandboxSsh, "target" | "place">;
}

/** How often a workspace is looked at while its agent tells of changes, and while none does, in milliseconds. */
const lookEveryMs = { watched: 30_000, unwatched: 1_000 } as const;

/**
 * Tells of changes in a sandbox's workspace: by word of its agent, and beside that by looking at it now and then over
 * SSH, often while no agent watches all of it. Rings, too, when the sandbox cannot be looked at: a sync says why.
 */
export function watchGuest(deps: GuestChangesDependencies, row: SandboxRow, signal: AbortSignal): ChangeSource {
  const over = new AbortController();
  const bell = new ChangeBell(() => over.abort(new Error("nobody follows any more")));
  const until = AbortSignal.any([signal, over.signal]);
  const agent = new AgentChanges(deps, bell);
  void agent.listen(row.id, until);
  void new Looks(deps, row, until).go(agent, bell).catch(() => bell.ring());
  return bell;
}

/** Looks at a workspace over one connection, which is made anew when it breaks. */
class Looks {
  readonly #deps: GuestChangesDependencies;
  readonly #row: SandboxRow;
  readonly #signal: AbortSignal;
  #connection: SshConnection | undefined;

  constructor(dependencies: GuestChangesDependencies, row: SandboxRow, signal: AbortSignal) {
    this.#deps = dependencies;
    this.#row = row;
    this.#signal = signal;
  }

  async go(agent: AgentChanges, bell: ChangeBell): Promise<void> {
    const { clock } = this.#deps;
    let before: string | undefined;
    try {
      while (!this.#signal.aborted) {
        const now = await this.#look().catch(() => undefined);
        // Changed between the last sync and the first look: the first look counts as a change.
        if (now === undefined || now !== before) bell.ring();
        before = now;
        const looked = clock.now();
        do await clock.sleep(lookEveryMs.unwatched, this.#signal);
        while (agent.whole && clock.now() - looked < lookEveryMs.watched);
      }
    } catch (error) {
      if (!this.#signal.aborted) throw error;
    } finally {
      this.#connection?.close();
    }
  }

  async #look(): Promise<string> {
    const { ssh } = this.#deps;
    try {
      this.#connection ??= await connectSsh(await ssh.target(this.#row, this.#signal), this.#signal);
      const command = lookCommand(workspaceOf(await ssh.place(this.#row, this.#signal)));
      return await output(this.#connection, command, this.#signal);
    } catch (error) {
      this.#connection?.close();
      this.#connection = undefined;
      throw error;
    }
  }
}

/** A number that changes with any name, size, time or mode. The path is Berth's own word. */
function lookCommand(workspace: string): string {
  const pruned = [...notFollowed].map((name) => `-name ${name}`).join(" -o ");
  const place = `'${workspace.replaceAll("'", "'\\''")}'`;
  return `cd -- ${place} && find . -type d \\( ${pruned} \\) -prune -o -printf '%p %y %s %T@ %m\\n' | cksum`;
}

async function output({ client }: SshConnection, command: string, signal: AbortSignal): Promise<string> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const cut = () => reject(new Error("the connection was cut"));
  client.once("close", cut);
  signal.addEventListener("abort", cut, { once: true });
  try {
    client.exec(command, (error, channel) => {
      if (error) return reject(error);
      let text = "";
      channel.on("data", (chunk: Buffer) => {
        text = (text + chunk.toString("latin1")).slice(0, 256);
      });
      channel.stderr.resume();
      channel.once("close", () => resolve(text));
    });
    return await promise;
  } finally {
    client.removeListener("close", cut);
    signal.removeEventListener("abort", cut);
  }
}
