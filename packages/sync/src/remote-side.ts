import { runChild } from "./child.ts";
import type { EntryState, EntryType } from "./entry-state.ts";
import { failureOf, SyncFailure } from "./failure.ts";
import { guestScript } from "./guest-script.ts";
import { deepestFirst } from "./local-side.ts";
import { bytesOf, type RawPath } from "./raw-path.ts";
import { isBackupId, surplusBackups } from "./retention.ts";
import type { BackupFacts, BackupRetention, Side } from "./side.ts";

/** How a folder in a sandbox is reached. */
export interface RemoteFolder {
  /** The OpenSSH client with its options; the host follows. */
  readonly ssh: readonly [string, ...string[]];
  readonly host: string;
  /** Absolute. It is Berth's own word, and stands quoted in a remote command. */
  readonly path: string;
}

/** A sandbox may answer so much. */
const maxAnswerBytes = 256 * 1024 * 1024;

/** A folder in a sandbox. Backups are in it, out of sight of git. */
export class RemoteSide implements Side {
  readonly #folder: RemoteFolder;
  readonly #signal: AbortSignal | undefined;
  #prepared = false;

  constructor(folder: RemoteFolder, signal?: AbortSignal) {
    this.#folder = folder;
    this.#signal = signal;
  }

  async stat(paths: readonly RawPath[]): Promise<Map<RawPath, EntryState>> {
    const found = new Map<RawPath, EntryState>();
    if (paths.length === 0) return found;
    const command = `find -files0-from - -maxdepth 0 -printf "%y\\0%s\\0%T@\\0%m\\0%l\\0%p\\0"`;
    // It complains of what is not there, and that is an answer too.
    const words = await this.#run(
      command,
      paths.map((path) => `./${path}`),
      { mayFail: true },
    );
    for (let at = 0; at + 5 < words.length; at += 6) {
      const [type = "", bytes = "", mtime = "", mode = "", target = "", path = ""] = words.slice(at, at + 6);
      found.set(path.slice(2), stateOf({ type, bytes, mtime, mode, target }));
    }
    return found;
  }

  async hash(paths: readonly RawPath[]): Promise<Map<RawPath, string>> {
    const hashes = new Map<RawPath, string>();
    if (paths.length === 0) return hashes;
    const words = await this.#run(
      "xargs -0 -r sha256sum -z --",
      paths.map((path) => `./${path}`),
      { mayFail: true },
    );
    for (const word of words) {
      const match = /^([0-9a-f]{64}) [ *]\.\/(.*)$/s.exec(word);
      if (match?.[1] !== undefined && match[2] !== undefined) hashes.set(match[2], match[1]);
    }
    return hashes;
  }

  setAside(paths: readonly RawPath[], backup: string): Promise<RawPath[]> {
    return paths.length === 0 ? Promise.resolve([]) : this.#ask("aside", [backup, ...paths]);
  }

  async removeFolders(paths: readonly RawPath[]): Promise<void> {
    if (paths.length > 0) await this.#ask("rmdir", deepestFirst(paths));
  }

  rename(pairs: readonly (readonly [RawPath, RawPath])[]): Promise<RawPath[]> {
    return pairs.length === 0 ? Promise.resolve([]) : this.#ask("rename", pairs.flat());
  }

  async prepare(backup: string): Promise<readonly RawPath[]> {
    if (this.#prepared) return [];
    const moved = await this.#ask("prepare", [backup]);
    this.#prepared = true;
    return moved;
  }

  leftovers(): Promise<readonly RawPath[]> {
    return this.#ask("leftovers", []);
  }

  async tidy(retention: BackupRetention, inOrder: boolean): Promise<void> {
    // Nothing was written, or nobody knows whether the sandbox's rsync still runs: what is old can wait for the next time.
    if (!this.#prepared || !inOrder) return;
    const surplus = surplusBackups(await this.#backups("tidy"), retention, Date.now());
    if (surplus.length > 0) await this.#ask("forget", surplus);
  }

  backups(): Promise<BackupFacts[]> {
    return this.#backups("backups");
  }

  async #backups(verb: "backups" | "tidy"): Promise<BackupFacts[]> {
    const words = await this.#ask(verb, []);
    const backups: BackupFacts[] = [];
    for (let at = 0; at + 2 < words.length; at += 3) {
      const [id = "", files, bytes] = words.slice(at, at + 3);
      if (isBackupId(id)) backups.push({ id, files: count(files), bytes: count(bytes) });
    }
    return backups;
  }

  backupPaths(backup: string, limit: number): Promise<RawPath[]> {
    return this.#ask("paths", [backup, String(limit)]);
  }

  async restore(backup: string, path: RawPath, aside: string): Promise<boolean> {
    return (await this.#ask("restore", [backup, path, aside], { mayFail: true })).includes("done");
  }

  #ask(verb: string, words: readonly string[], options: { mayFail?: boolean } = {}): Promise<string[]> {
    return this.#run(`perl -e '${guestScript}'`, [verb, ...words], options);
  }

  /** Runs one of our fixed commands in the folder, with these words as its input; answers what it writes, by NULs. */
  async #run(command: string, words: readonly string[], { mayFail = false } = {}): Promise<string[]> {
    const { ssh, host, path } = this.#folder;
    const chunks: Buffer[] = [];
    let bytes = 0;
    const { code, complaints } = await runChild({
      argv: [...ssh, host, `cd -- ${quoted(path)} && LC_ALL=C exec ${command}`],
      input: bytesOf(words.map((word) => `${word}\0`).join("")),
      onOutput: (chunk) => {
        bytes += chunk.length;
        if (bytes > maxAnswerBytes) throw new SyncFailure("too_much", "The sandbox answers more than 256 MiB.");
        chunks.push(chunk);
      },
      ...(this.#signal ? { signal: this.#signal } : {}),
    });
    if (code !== 0 && (code === 255 || code === null || !mayFail)) throw failureOf("ssh", code, complaints);
    const answer = Buffer.concat(chunks).toString("latin1");
    return answer === "" ? [] : answer.split("\0").slice(0, -1);
  }
}

const types: Readonly<Record<string, EntryType>> = { f: "file", d: "folder", l: "link" };

interface FoundFacts {
  type: string;
  bytes: string;
  mtime: string;
  mode: string;
  target: string;
}

function stateOf({ type: letter, bytes, mtime, mode, target }: FoundFacts): EntryState {
  const type = types[letter] ?? "other";
  const facts = { bytes: count(bytes), mtimeNs: nanoseconds(mtime), mode: Number.parseInt(mode, 8) & 0o777 };
  return type === "link" ? { type, ...facts, target } : { type, ...facts };
}

/** `find` writes seconds with ten digits behind the point, of which the last is always 0. */
function nanoseconds(text: string): string {
  const match = /^(-?\d+)(?:\.(\d{1,9}))?/.exec(text);
  if (!match?.[1]) return "0";
  return String(BigInt(match[1]) * 1_000_000_000n + BigInt((match[2] ?? "").padEnd(9, "0")));
}

function count(text: string | undefined): number {
  const number = Number(text);
  return Number.isSafeInteger(number) && number >= 0 ? number : 0;
}

/** One word for a shell. */
function quoted(path: string): string {
  return `'${path.replaceAll("'", "'\\''")}'`;
}
