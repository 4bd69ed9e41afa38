import { errorText, type Log } from "../../log.ts";
import type { PtyHostLink } from "../pty-host-link.ts";

export interface HostVersionOptions {
  ptyHost: Pick<PtyHostLink, "call" | "connected">;
  /** This agent's, and the path of its PTY host's program. */
  version: string;
  program: string;
  log: Log;
}

/** A host that could not be replaced is asked again by the next agent, or once more by this one. */
const maxAttempts = 2;

/**
 * Keeps the PTY host at the version of its agent: after an update, and after one that was given up. No terminal ends by
 * that (`pty-host/handover`); one that refuses goes on as it is.
 */
export class HostVersion {
  readonly #options: HostVersionOptions;
  #attempts = 0;
  #asking: Promise<boolean> | undefined;

  constructor(options: HostVersionOptions) {
    this.#options = options;
  }

  /** Answers whether the host that runs is of this version; otherwise that one is on its way, if it can. Never rejects. */
  align(): Promise<boolean> {
    if (!this.#options.ptyHost.connected) return Promise.resolve(false);
    this.#asking ??= this.#align().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  async #align(): Promise<boolean> {
    const { ptyHost, version, program, log } = this.#options;
    try {
      const running = await ptyHost.call("version", {});
      if (running === version) return true;
      if (this.#attempts >= maxAttempts) return false;
      this.#attempts += 1;
      log.info("the PTY host is of another version and is replaced", { running, version });
      await ptyHost.call("handOver", { program });
    } catch (error) {
      log.warn("the PTY host could not be brought to the agent's version", { reason: errorText(error) });
    }
    return false;
  }
}
