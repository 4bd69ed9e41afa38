import { BerthError } from "@berth/protocol";
import type { SandboxRow } from "../sandboxes/record.ts";
import type { ClaudeTerminals } from "../terminals/claude.ts";
import { ClaudeSession, terminalSize } from "./claude-session.ts";
import { type AskedProgram, finish } from "./local-sessions.ts";
import type { SessionTraffic } from "./sessions.ts";

/** What `ssh` itself exits with when there is no connection: programs on top of it know it for that. */
export const noConnectionCode = 255;

/** What a client with `NAME+claude` has: the sandbox's Claude, in as many sessions as it asks for. */
export class ClaudeView {
  readonly #claude: Pick<ClaudeTerminals, "running" | "open">;
  readonly #row: SandboxRow;
  readonly #open = new Set<ClaudeSession>();
  #shown = 0;
  /** Of sessions that have ended. */
  #bytesIn = 0;
  #bytesOut = 0;
  #closed = false;

  constructor(claude: Pick<ClaudeTerminals, "running" | "open">, row: SandboxRow) {
    this.#claude = claude;
    this.#row = row;
  }

  get traffic(): SessionTraffic {
    let [bytesIn, bytesOut] = [this.#bytesIn, this.#bytesOut];
    for (const { traffic } of this.#open) {
      bytesIn += traffic.bytesIn;
      bytesOut += traffic.bytesOut;
    }
    return { bytesIn, bytesOut, channels: this.#shown > 0 ? { claude: this.#shown } : {} };
  }

  /** Shows it in a session; a session without a terminal is told that it needs one. Never rejects. */
  async show(program: AskedProgram): Promise<void> {
    if (!program.pty || program.kind !== "shell") {
      const err = "berth: Claude is shown in a terminal: ssh -t, without a command\n";
      finish(program, { err, code: noConnectionCode });
      return;
    }
    try {
      this.#shown += 1;
      const terminalId = await this.#claude.running(this.#row, terminalSize(program.pty));
      if (this.#closed) return;
      const session = new ClaudeSession(program, program.pty, (viewer, events) =>
        this.#claude.open(this.#row.id, terminalId, viewer, events),
      );
      this.#open.add(session);
      program.channel.once("close", () => this.#ended(session));
    } catch (error) {
      const reason = error instanceof BerthError ? error.message : "Claude could not be shown";
      finish(program, { err: `berth: ${reason}\n`, code: noConnectionCode });
    }
  }

  /** Lets go of the terminals. */
  close(): void {
    this.#closed = true;
    for (const session of this.#open) session.close();
  }

  #ended(session: ClaudeSession): void {
    if (!this.#open.delete(session)) return;
    this.#bytesIn += session.traffic.bytesIn;
    this.#bytesOut += session.traffic.bytesOut;
  }
}
