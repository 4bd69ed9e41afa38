import { limits } from "./limits.ts";
import type { Pty } from "./pty.ts";
import type { Viewer } from "./viewer.ts";

/**
 * Holds a PTY while every viewer's window is full, and for `limits.stallMs` at most without any of them making room:
 * those then stall, and pace it no more. Without a viewer that paces it, it is never held.
 */
export class Pacing {
  readonly #viewers: ReadonlySet<Viewer>;
  readonly #pty: () => Pick<Pty, "pause" | "resume"> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(viewers: ReadonlySet<Viewer>, pty: () => Pick<Pty, "pause" | "resume"> | undefined) {
    this.#viewers = viewers;
    this.#pty = pty;
  }

  /** Looks again, after output was sent or a viewer changed. */
  look(): void {
    let pacers = 0;
    for (const viewer of this.#viewers) {
      if (!viewer.paces) continue;
      if (!viewer.full) {
        this.release();
        return;
      }
      pacers += 1;
    }
    if (pacers === 0) this.release();
    if (pacers === 0 || this.#timer) return;
    this.#pty()?.pause();
    this.#timer = setTimeout(() => this.#stall(), limits.stallMs);
  }

  /** Lets the PTY go on. */
  release(): void {
    if (!this.#timer) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#pty()?.resume();
  }

  #stall(): void {
    for (const viewer of this.#viewers) viewer.stall();
    this.release();
  }
}
