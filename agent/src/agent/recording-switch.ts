import { CallFailure } from "@berth/protocol/link";
import { errorText, type Log } from "../log.ts";
import type { PtyHostLink } from "./pty-host-link.ts";

/** Brings the fleet's wish whether terminals are recorded to the PTY host, which keeps it over restarts. */
export class RecordingSwitch {
  readonly #ptyHost: Pick<PtyHostLink, "call">;
  readonly #log: Log;
  #wished: boolean | undefined;

  constructor(ptyHost: Pick<PtyHostLink, "call">, log: Log) {
    this.#ptyHost = ptyHost;
    this.#log = log;
  }

  /** The controller has said what it wants. Before any terminal that it asks for after that. */
  wish(recording: boolean): void {
    this.#wished = recording;
    this.tell();
  }

  /** A PTY host was found: it hears what is known. */
  tell(): void {
    if (this.#wished === undefined) return;
    this.#ptyHost.call("configure", { recording: this.#wished }).catch((error: unknown) => {
      // It is told when there is one.
      if (error instanceof CallFailure && error.code === "pty_host_unavailable") return;
      // An older host, which lives on until its sandbox is restarted, does not know the call: it does not record.
      this.#log.warn("the PTY host could not be told whether to record", { reason: errorText(error) });
    });
  }
}
