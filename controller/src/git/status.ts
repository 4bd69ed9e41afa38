import type { GitBranch, GitChange } from "@berth/protocol";

/** A file as `git status --porcelain=v2 -z` tells of it; paths are from the repository on. */
export interface StatusEntry {
  readonly path: Buffer;
  readonly from: Buffer | undefined;
  readonly state: "changed" | "conflicted" | "untracked";
  readonly staged: GitChange | null;
  readonly unstaged: GitChange | null;
  readonly conflict: string | undefined;
}

/** Git's words make no sense: not git's, then. */
export class BadOutput extends Error {
  override readonly name = "BadOutput";
}

const maxFieldBytes = 16 * 1024;

const changes = new Map<string, GitChange>([
  ["M", "modified"],
  ["T", "typechanged"],
  ["A", "added"],
  ["D", "deleted"],
  ["R", "renamed"],
  ["C", "copied"],
]);

/** Reads `git status --porcelain=v2 -z --branch` as it comes. Throws `BadOutput`. */
export class StatusReader {
  readonly entries: StatusEntry[] = [];
  readonly branch: GitBranch = { name: null, commit: null, upstream: null, ahead: null, behind: null };
  /** There were more than `maxEntries`: nothing more has to be read. */
  full = false;
  readonly #maxEntries: number;
  #held: Buffer = Buffer.alloc(0);
  /** A rename whose second path has not come. */
  #renamed: StatusEntry | undefined;

  constructor(maxEntries: number) {
    this.#maxEntries = maxEntries;
  }

  push(chunk: Buffer): void {
    const bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    let start = 0;
    for (let end = bytes.indexOf(0); end !== -1 && !this.full; end = bytes.indexOf(0, start)) {
      this.#field(bytes.subarray(start, end));
      start = end + 1;
    }
    this.#held = bytes.subarray(start);
    if (!this.full && this.#held.length > maxFieldBytes) throw new BadOutput("a path is too long");
  }

  end(): void {
    if (this.#held.length > 0 || this.#renamed) throw new BadOutput("it ends in the midst of a file");
  }

  #field(field: Buffer): void {
    if (this.#renamed) {
      this.#add({ ...this.#renamed, from: field });
      this.#renamed = undefined;
      return;
    }
    const kind = field.toString("latin1", 0, 2);
    if (kind === "# ") this.#header(field.toString("utf8", 2));
    else if (kind === "1 ") this.#add(changed(field, 8));
    else if (kind === "2 ") this.#renamed = changed(field, 9);
    else if (kind === "u ") this.#add(conflicted(field));
    else if (kind === "? ") this.#add({ ...plain, path: field.subarray(2), state: "untracked" });
    else if (kind !== "! ") throw new BadOutput("a line of an unknown kind");
  }

  #add(entry: StatusEntry): void {
    if (entry.path.length === 0) throw new BadOutput("a file without a name");
    if (this.entries.length < this.#maxEntries) this.entries.push(entry);
    else this.full = true;
  }

  #header(line: string): void {
    const space = line.indexOf(" ");
    const value = line.slice(space + 1);
    switch (line.slice(0, space)) {
      case "branch.oid":
        this.branch.commit = value === "(initial)" ? null : value;
        return;
      case "branch.head":
        this.branch.name = value === "(detached)" ? null : value;
        return;
      case "branch.upstream":
        this.branch.upstream = value;
        return;
      case "branch.ab": {
        const match = /^\+(\d{1,9}) -(\d{1,9})$/.exec(value);
        if (!match) return;
        this.branch.ahead = Number(match[1]);
        this.branch.behind = Number(match[2]);
      }
    }
  }
}

const plain = { from: undefined, staged: null, unstaged: null, conflict: undefined } as const;

function changed(field: Buffer, fields: number): StatusEntry {
  const letters = field.toString("latin1", 2, 4);
  return {
    ...plain,
    path: pathBehind(field, fields),
    state: "changed",
    staged: changes.get(letters.charAt(0)) ?? null,
    unstaged: changes.get(letters.charAt(1)) ?? null,
  };
}

function conflicted(field: Buffer): StatusEntry {
  const conflict = field.toString("latin1", 2, 4);
  if (!/^[AUD]{2}$/.test(conflict)) throw new BadOutput("a conflict of an unknown kind");
  return { ...plain, path: pathBehind(field, 10), state: "conflicted", conflict };
}

/** What follows so many fields, each ended by a space. */
function pathBehind(field: Buffer, fields: number): Buffer {
  let start = 0;
  for (let count = 0; count < fields; count += 1) {
    const space = field.indexOf(0x20, start);
    if (space === -1) throw new BadOutput("a line has too few fields");
    start = space + 1;
  }
  return field.subarray(start);
}
