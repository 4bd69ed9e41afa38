import type { GitCommit } from "@berth/protocol";
import { gitLogFields } from "@berth/protocol/link";
import { BadOutput } from "./status.ts";

const maxCommitBytes = 256 * 1024;
const hash = /^[0-9a-f]{40}([0-9a-f]{24})?$/;

/** Reads commits in the form of `gitLogFields`, each ended by a NUL, as they come. Throws `BadOutput`. */
export class LogReader {
  readonly commits: GitCommit[] = [];
  #held: Buffer = Buffer.alloc(0);

  push(chunk: Buffer): void {
    const bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    let start = 0;
    for (let end = bytes.indexOf(0); end !== -1; end = bytes.indexOf(0, start)) {
      this.commits.push(commitOf(bytes.toString("utf8", start, Math.min(end, start + maxCommitBytes))));
      start = end + 1;
    }
    this.#held = bytes.subarray(start);
    if (this.#held.length > 64 * maxCommitBytes) throw new BadOutput("a commit is too long");
  }

  end(): void {
    if (this.#held.length > 0) throw new BadOutput("it ends in the midst of a commit");
  }
}

function commitOf(text: string): GitCommit {
  const lines = text.split("\n", gitLogFields.length);
  const [commit = "", parents = "", author = "", email = "", at = "", committer = "", byEmail = "", byAt = ""] = lines;
  const refs = lines[8] ?? "";
  if (lines.length < gitLogFields.length || !hash.test(commit)) throw new BadOutput("a commit makes no sense");
  const message = text.slice(lines.reduce((length, line) => length + line.length + 1, 0));
  const end = message.indexOf("\n");
  return {
    commit,
    parents: parents.split(" ").filter((parent) => hash.test(parent)),
    author: { name: author, email, at: instant(at) },
    committer: { name: committer, email: byEmail, at: instant(byAt) },
    refs: refs
      .split(", ")
      .map((ref) => ref.replace(/^HEAD -> |^tag: /, ""))
      .filter((ref) => ref.startsWith("refs/")),
    subject: end === -1 ? message : message.slice(0, end),
    body: end === -1 ? "" : message.slice(end + 1).trim(),
  };
}

/** Times of commits are anybody's: one that no calendar has is the beginning of all. */
function instant(seconds: string): string {
  const at = new Date(/^-?\d{1,11}$/.test(seconds) ? Number(seconds) * 1000 : 0);
  const year = at.getUTCFullYear();
  return (year >= 0 && year <= 9999 ? at : new Date(0)).toISOString();
}
