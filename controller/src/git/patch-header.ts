import type { GitChange } from "@berth/protocol";
import { unquoted } from "./quoted.ts";
import { BadOutput } from "./status.ts";

/** What a patch says of a file before its hunks. */
export interface PatchHeader {
  /** From `diff --git`: of use where nothing else names the file, which has one name then. */
  name: Buffer | undefined;
  oldName: Buffer | undefined;
  newName: Buffer | undefined;
  status: GitChange;
  oldMode: string | null;
  newMode: string | null;
  binary: boolean;
}

const mode = /^\d{6}$/;

/** The header that a line of `diff --git` begins; the line is latin1: a letter a byte. */
export function beginHeader(line: string): PatchHeader {
  return {
    name: commonName(line.slice("diff --git ".length)),
    oldName: undefined,
    newName: undefined,
    status: "modified",
    oldMode: null,
    newMode: null,
    binary: false,
  };
}

/** What lines of a header say, by the words that they begin with. */
const said: readonly (readonly [words: string, read: (header: PatchHeader, rest: string) => void])[] = [
  ["old mode ", (header, rest) => Object.assign(header, { oldMode: modeOf(rest) })],
  ["new mode ", (header, rest) => Object.assign(header, { newMode: modeOf(rest) })],
  ["deleted file mode ", (header, rest) => Object.assign(header, { status: "deleted", oldMode: modeOf(rest) })],
  ["new file mode ", (header, rest) => Object.assign(header, { status: "added", newMode: modeOf(rest) })],
  ["rename from ", (header, rest) => Object.assign(header, { status: "renamed", oldName: nameOf(rest) })],
  ["rename to ", (header, rest) => Object.assign(header, { status: "renamed", newName: nameOf(rest) })],
  ["copy from ", (header, rest) => Object.assign(header, { status: "copied", oldName: nameOf(rest) })],
  ["copy to ", (header, rest) => Object.assign(header, { status: "copied", newName: nameOf(rest) })],
  ["--- ", (header, rest) => Object.assign(header, { oldName: header.oldName ?? sideOf(rest, "a/") })],
  ["+++ ", (header, rest) => Object.assign(header, { newName: header.newName ?? sideOf(rest, "b/") })],
  ["Binary files ", (header) => Object.assign(header, { binary: true })],
];

/** Reads one more line of a header. */
export function readHeaderLine(header: PatchHeader, line: string): void {
  const found = said.find(([words]) => line.startsWith(words));
  found?.[1](header, line.slice(found[0].length));
}

/** What the file is called, and what it was called if that is another name. */
export function namesOf(header: PatchHeader): { path: Buffer; from: Buffer | undefined } {
  const path = header.newName ?? header.oldName ?? header.name;
  if (!path || path.length === 0) throw new BadOutput("a file has no name");
  const moved = header.status === "renamed" || header.status === "copied";
  return { path, from: moved ? header.oldName : undefined };
}

function modeOf(text: string): string | null {
  return mode.test(text) ? text : null;
}

/** A name as it stands behind `rename from` and the like. */
function nameOf(text: string): Buffer {
  return text.startsWith('"') ? unquoted(text, 0).name : Buffer.from(text, "latin1");
}

/** A name behind `---` or `+++`; undefined for no file. One with spaces is ended by a tab. */
function sideOf(text: string, prefix: string): Buffer | undefined {
  const plain = text.startsWith('"') ? text : text.replace(/\t$/, "");
  if (plain === "/dev/null") return undefined;
  return withoutPrefix(nameOf(plain), prefix);
}

/** `a/NAME b/NAME`, where both are the same; undefined where they are not. */
function commonName(text: string): Buffer | undefined {
  if (text.startsWith('"')) {
    const { name, end } = unquoted(text, 0);
    const second = text.charAt(end + 1) === '"' ? unquoted(text, end + 1).name : undefined;
    const own = withoutPrefix(name, "a/");
    return second && own && withoutPrefix(second, "b/")?.equals(own) ? own : undefined;
  }
  const half = (text.length - 1) / 2;
  const first = text.slice(0, half);
  const second = text.slice(half + 1);
  if (!Number.isInteger(half) || first.slice(2) !== second.slice(2)) return undefined;
  return withoutPrefix(Buffer.from(first, "latin1"), "a/");
}

function withoutPrefix(name: Buffer, prefix: string): Buffer | undefined {
  return name.toString("latin1", 0, 2) === prefix ? name.subarray(2) : undefined;
}
