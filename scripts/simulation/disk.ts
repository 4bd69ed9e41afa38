import { constants } from "node:fs";
import { posix } from "node:path";
import type { Random } from "@berth/testkit/random";
import type { SimulatedProcess } from "./process.ts";
import type { SimulatedTime } from "./time.ts";

interface Operation {
  readonly owner: SimulatedProcess | undefined;
  apply(): void;
}

class DiskError extends Error {
  readonly code: string;

  constructor(code: string, path: string) {
    super(`${code}: ${path}`);
    this.code = code;
  }
}

/**
 * A disk of a simulated world, behind as much of `node:fs/promises` as the PTY host uses. Each operation takes effect
 * when the schedule says so; one whose process dies before has none. What was written outlives the process.
 */
export class SimulatedDisk {
  /** Nothing more fits: a write takes what is left to take, and then fails with ENOSPC. */
  #full = false;
  /** It was full at some time. */
  wasFull = false;
  readonly #files = new Map<string, Buffer>();
  readonly #folders = new Set<string>(["/"]);
  readonly #time: SimulatedTime;
  readonly #random: Random;
  #pending: Operation[] = [];

  constructor(time: SimulatedTime, random: Random) {
    this.#time = time;
    this.#random = random;
  }

  set full(full: boolean) {
    this.#full = full;
    this.wasFull ||= full;
  }

  get pending(): number {
    return this.#pending.length;
  }

  /** Bytes in all files. */
  get usedBytes(): number {
    let bytes = 0;
    for (const content of this.#files.values()) bytes += content.byteLength;
    return bytes;
  }

  /** Brings one of the operations that wait to its end. */
  completeOne(): void {
    const index = this.#random.integer(0, this.#pending.length - 1);
    const [operation] = this.#pending.splice(index, 1);
    if (!operation) return;
    this.#time.current = operation.owner;
    operation.apply();
  }

  /** A process has died: what it had begun is not done. */
  forget(owner: SimulatedProcess): void {
    this.#pending = this.#pending.filter((operation) => operation.owner !== owner);
  }

  readonly promises = {
    mkdir: (path: string) =>
      this.#operation(() => {
        for (let folder = path; folder !== "/"; folder = posix.dirname(folder)) this.#folders.add(folder);
      }),
    readdir: (path: string) =>
      this.#operation(() => {
        if (!this.#folders.has(path)) throw new DiskError("ENOENT", path);
        const names = [...this.#files.keys(), ...this.#folders].filter(
          (entry) => entry !== "/" && posix.dirname(entry) === path,
        );
        return names.map((name) => posix.basename(name)).sort();
      }),
    readFile: (path: string, encoding?: BufferEncoding) =>
      this.#operation(() => {
        const content = Buffer.from(this.#content(path));
        return encoding === undefined ? content : content.toString(encoding);
      }),
    stat: (path: string) => this.#operation(() => ({ size: this.#content(path).byteLength })),
    rename: (from: string, to: string) =>
      this.#operation(() => {
        const content = this.#content(from);
        this.#files.delete(from);
        this.#files.set(to, content);
      }),
    rm: (path: string, { recursive = false }: { recursive?: boolean } = {}) =>
      this.#operation(() => {
        this.#files.delete(path);
        if (!recursive) return;
        const below = (entry: string) => entry === path || entry.startsWith(`${path}/`);
        for (const entry of [...this.#files.keys()].filter(below)) this.#files.delete(entry);
        for (const entry of [...this.#folders].filter(below)) this.#folders.delete(entry);
      }),
    open: (path: string, flags: string | number) => this.#operation(() => this.#open(path, flags)),
  };

  #open(path: string, flags: string | number) {
    const creates = flags === "wx" || (typeof flags === "number" && (flags & constants.O_CREAT) !== 0);
    if (creates && !this.#folders.has(posix.dirname(path))) throw new DiskError("ENOENT", path);
    if (creates && !this.#files.has(path)) this.#files.set(path, Buffer.alloc(0));
    if (!creates && !this.#folders.has(path)) this.#content(path);
    const done = () => this.#operation(() => {});
    return {
      read: (into: Uint8Array, offset: number, length: number, position: number) =>
        this.#operation(() => {
          const bytes = this.#content(path).subarray(position, position + length);
          into.set(bytes, offset);
          return { bytesRead: bytes.byteLength };
        }),
      write: (bytes: Uint8Array, offset: number, length: number, position: number) =>
        this.#operation(() => ({ bytesWritten: this.#write(path, bytes.subarray(offset, offset + length), position) })),
      writeFile: (contents: string | Uint8Array) =>
        this.#operation(() => {
          const bytes = Buffer.from(contents as Uint8Array);
          const taken = this.#write(path, bytes, 0);
          if (this.#full && taken < bytes.byteLength) throw new DiskError("ENOSPC", path);
          this.#files.set(path, bytes);
        }),
      chmod: done,
      sync: done,
      close: done,
    };
  }

  #content(path: string): Buffer {
    const content = this.#files.get(path);
    if (!content) throw new DiskError("ENOENT", path);
    return content;
  }

  /** Answers how much was taken, which may be less than all. */
  #write(path: string, bytes: Uint8Array, position: number): number {
    if (this.#full && this.#random.chance(0.5)) throw new DiskError("ENOSPC", path);
    const partial = this.#full || this.#random.chance(0.1);
    const taken = partial ? this.#random.integer(1, Math.max(1, bytes.byteLength)) : bytes.byteLength;
    const old = this.#content(path);
    const grown = Buffer.alloc(Math.max(old.byteLength, position + taken));
    grown.set(old, 0);
    grown.set(bytes.subarray(0, taken), position);
    this.#files.set(path, grown);
    return taken;
  }

  #operation<T>(act: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const apply = () => {
        try {
          resolve(act());
        } catch (error) {
          reject(error);
        }
      };
      this.#pending.push({ owner: this.#time.current, apply });
    });
  }
}
