import type { GitHunk } from "@berth/protocol";
import { beginHeader, namesOf, type PatchHeader, readHeaderLine } from "./patch-header.ts";
import { unquoted } from "./quoted.ts";
import { BadOutput } from "./status.ts";

/** What an answer has at most; all that is beyond is counted only. */
export interface PatchLimits {
  readonly files: number;
  readonly fileLines: number;
  readonly fileBytes: number;
  /** Of all files together. */
  readonly bytes: number;
}

export const patchLimits: PatchLimits = {
  files: 3000,
  fileLines: 20_000,
  fileBytes: 1024 * 1024,
  bytes: 8 * 1024 * 1024,
};

/** A file of a patch; paths are from the repository on. */
export interface PatchFile extends Pick<PatchHeader, "status" | "oldMode" | "newMode" | "binary"> {
  readonly path: Buffer;
  readonly from: Buffer | undefined;
  conflicted: boolean;
  tooLarge: boolean;
  additions: number;
  deletions: number;
  hunks: GitHunk[];
}

/** Longer lines make their file too large. */
const maxLineBytes = 32 * 1024;
const newline = 0x0a;
const hunkLine = /^@@ -(\d{1,10})(?:,(\d{1,10}))? \+(\d{1,10})(?:,(\d{1,10}))? @@ ?(.*)$/;

/** Reads what `git diff` writes as it comes. Throws `BadOutput`. */
export class PatchReader {
  readonly files: PatchFile[] = [];
  /** There are more files than an answer has: nothing more has to be read. */
  full = false;
  readonly #limits: PatchLimits;
  #held: Buffer[] = [];
  #heldBytes = 0;
  #header: PatchHeader | undefined;
  #file: PatchFile | undefined;
  #hunk: { hunk: GitHunk; oldLeft: number; newLeft: number } | undefined;
  #fileBytes = 0;
  #fileLines = 0;
  #bytes = 0;

  constructor(limits: PatchLimits = patchLimits) {
    this.#limits = limits;
  }

  push(chunk: Buffer): void {
    let start = 0;
    for (let end = chunk.indexOf(newline); end !== -1 && !this.full; end = chunk.indexOf(newline, start)) {
      this.#hold(chunk.subarray(start, end));
      this.#line(this.#held.length === 1 && this.#held[0] ? this.#held[0] : Buffer.concat(this.#held), this.#heldBytes);
      this.#held = [];
      this.#heldBytes = 0;
      start = end + 1;
    }
    this.#hold(chunk.subarray(start));
  }

  end(): void {
    if (this.#heldBytes > 0 && !this.full) throw new BadOutput("the patch ends within a line");
    if (!this.full) this.#endHeader();
  }

  /** No more of a line is held than what tells what it is. */
  #hold(part: Buffer): void {
    if (this.#heldBytes <= maxLineBytes) this.#held.push(part);
    this.#heldBytes += part.length;
  }

  #line(line: Buffer, bytes: number): void {
    if (this.#hunk && this.#inHunk(line, bytes)) return;
    const text = line.toString("latin1");
    if (text.startsWith("diff --git ")) {
      this.#endHeader();
      this.#file = undefined;
      this.#header = beginHeader(text);
    } else if (text.startsWith("diff --cc ") || text.startsWith("diff --combined ")) {
      this.#endHeader();
      this.#conflicted(text.slice(text.indexOf(" ", 5) + 1));
    } else if (text.startsWith("* Unmerged path ")) {
      this.#endHeader();
      this.#conflicted(text.slice("* Unmerged path ".length));
    } else if (text.startsWith("@@ ")) {
      this.#endHeader();
      this.#beginHunk(line);
    } else if (this.#header) readHeaderLine(this.#header, text);
  }

  #endHeader(): void {
    const header = this.#header;
    this.#header = undefined;
    if (!header) return;
    const { status, oldMode, newMode, binary } = header;
    this.#begin({ ...namesOf(header), ...nothingYet(), status, oldMode, newMode, binary });
  }

  #conflicted(quoted: string): void {
    const path = quoted.startsWith('"') ? unquoted(quoted, 0).name : Buffer.from(quoted, "latin1");
    if (path.length === 0) throw new BadOutput("a file has no name");
    const plain = { status: "modified", oldMode: null, newMode: null, binary: false } as const;
    this.#begin({ path, from: undefined, ...nothingYet(), ...plain, conflicted: true });
    // Its hunks have as many sides as there are versions; and the difference from one's own follows by itself.
    this.#file = undefined;
  }

  #begin(file: PatchFile): void {
    this.#hunk = undefined;
    this.#fileBytes = 0;
    this.#fileLines = 0;
    const last = this.files.at(-1);
    if (last?.conflicted && last.path.equals(file.path)) {
      this.#file = Object.assign(last, { binary: file.binary });
      return;
    }
    if (this.files.length >= this.#limits.files) {
      this.full = true;
      return;
    }
    this.files.push(file);
    this.#file = file;
  }

  #beginHunk(line: Buffer): void {
    const match = hunkLine.exec(line.toString());
    // Without a file it is one of a conflict.
    if (!match || !this.#file) return;
    const [, oldStart, oldLines = "1", newStart, newLines = "1", header = ""] = match;
    const hunk: GitHunk = {
      oldStart: Number(oldStart),
      oldLines: Number(oldLines),
      newStart: Number(newStart),
      newLines: Number(newLines),
      header,
      lines: [],
    };
    this.#hunk = { hunk, oldLeft: hunk.oldLines, newLeft: hunk.newLines };
    this.#take(line.length, () => this.#file?.hunks.push(hunk));
  }

  /** Whether the line is one of the hunk's. */
  #inHunk(line: Buffer, bytes: number): boolean {
    const hunk = this.#hunk;
    const file = this.#file;
    if (!hunk || !file) return false;
    const sign = String.fromCharCode(line[0] ?? 0x20);
    if (sign === "\\") this.#take(bytes, () => hunk.hunk.lines.push(line.toString()));
    else if (hunk.oldLeft <= 0 && hunk.newLeft <= 0) return false;
    else {
      if (sign !== "+") hunk.oldLeft -= 1;
      if (sign !== "-") hunk.newLeft -= 1;
      if (sign === "+") file.additions += 1;
      else if (sign === "-") file.deletions += 1;
      else if (sign !== " ") throw new BadOutput("a line of a hunk of an unknown kind");
      this.#take(bytes, () => hunk.hunk.lines.push(line.toString()));
    }
    return true;
  }

  /** Keeps something of so many bytes, unless its file, or all of them, would become too large. */
  #take(bytes: number, keep: () => void): void {
    const file = this.#file;
    if (!file || file.tooLarge) return;
    this.#fileBytes += bytes;
    this.#fileLines += 1;
    const { fileBytes, fileLines, bytes: allBytes } = this.#limits;
    const fits = this.#fileBytes <= fileBytes && this.#fileLines <= fileLines && bytes <= maxLineBytes;
    this.#bytes += bytes;
    if (fits && this.#bytes <= allBytes) {
      keep();
      return;
    }
    file.tooLarge = true;
    file.hunks = [];
    // What was kept of it makes room for others.
    this.#bytes -= this.#fileBytes;
  }
}

function nothingYet(): Pick<PatchFile, "conflicted" | "tooLarge" | "additions" | "deletions" | "hunks"> {
  return { conflicted: false, tooLarge: false, additions: 0, deletions: 0, hunks: [] };
}
