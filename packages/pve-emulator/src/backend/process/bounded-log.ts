import { appendFileSync, renameSync, statSync } from "node:fs";

/** Bytes of a log; as much again is kept of what was before. */
const maxLogBytes = 512 * 1024;

/** Appends to a file that is moved aside, over the one moved aside before, whenever it is full. */
export class BoundedLog {
  readonly #path: string;
  #bytes: number;

  constructor(path: string) {
    this.#path = path;
    this.#bytes = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  }

  /** A log that cannot be written (a full disk) stops nothing. */
  write(bytes: Uint8Array): void {
    try {
      if (this.#bytes + bytes.length > maxLogBytes) {
        renameSync(this.#path, `${this.#path}.1`);
        this.#bytes = 0;
      }
      appendFileSync(this.#path, bytes);
      this.#bytes += bytes.length;
    } catch {
      // The container matters more than its log.
    }
  }
}
