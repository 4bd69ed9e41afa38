import { mkdir, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { isErrno, writeFileAtomic } from "@berth/base/node";
import Type, { type Static } from "typebox";
import { Value } from "typebox/value";
import type { Known, Possibility } from "./decide.ts";
import type { EntryState } from "./entry-state.ts";
import type { Digest } from "./listing.ts";
import type { RawPath } from "./raw-path.ts";
import type { SyncDirection } from "./rsync.ts";

/** The first line of the file. */
const headerSchema = Type.Object({
  version: Type.Literal(1),
  /** The listing at the end of a sync that left nothing open; null: there is something left to look at. */
  settled: Type.Union([
    Type.Object({ count: Type.Integer(), sum: Type.Number(), direction: Type.String() }),
    Type.Null(),
  ]),
  /** Directions in which a run has begun to write and did not come to its end. */
  unfinished: Type.Optional(Type.Array(Type.Union([Type.Literal("push"), Type.Literal("pull")]))),
});
type Header = Static<typeof headerSchema>;

/**
 * What both sides of a pair of folders were when they last agreed, path by path: a file that is replaced in one step.
 * Losing it is harmless: what differs then is a conflict.
 */
export class Memory {
  readonly #file: string;
  /** What was read, until somebody asks for it: mostly nothing has changed, and nobody does. */
  #text: string;
  #read: Map<RawPath, Known> | undefined;
  /** Whether there was a sync before. */
  readonly isNew: boolean;
  settled: (Digest & { direction: string }) | undefined;
  /** In which directions a run was cut while it wrote. */
  readonly unfinished: Set<SyncDirection>;

  private constructor(file: string, text: string, header: Header | undefined) {
    this.#file = file;
    this.#text = text;
    this.isNew = header === undefined;
    this.settled = header?.settled ?? undefined;
    this.unfinished = new Set(header?.unfinished);
  }

  /** Reads it; a file that is damaged is as none. */
  static async open(file: string): Promise<Memory> {
    const text = await readIfThere(file);
    const end = text?.indexOf("\n") ?? -1;
    if (text === undefined || end === -1) return new Memory(file, "", undefined);
    const header = parseHeader(text.slice(0, end));
    return new Memory(file, header ? text.slice(end + 1) : "", header);
  }

  get #entries(): Map<RawPath, Known> {
    this.#read ??= readEntries(this.#text);
    this.#text = "";
    return this.#read;
  }

  get(path: RawPath): Known | undefined {
    return this.#entries.get(path);
  }

  set(path: RawPath, known: Known): void {
    this.#entries.set(path, known);
  }

  delete(path: RawPath): void {
    this.#entries.delete(path);
  }

  entries(): IterableIterator<[RawPath, Known]> {
    return this.#entries.entries();
  }

  paths(): IterableIterator<RawPath> {
    return this.#entries.keys();
  }

  async save(): Promise<void> {
    const header: Header = { version: 1, settled: this.settled ?? null, unfinished: [...this.unfinished] };
    const parts: string[] = [];
    for (const [path, { agreed, maybe }] of this.#entries) {
      parts.push(`${path}\0${fieldsOf(agreed)}\0${possibilityFields(maybe)}\0`);
    }
    await mkdir(dirname(this.#file), { recursive: true, mode: 0o700 });
    await writeFileAtomic(this.#file, Buffer.from(`${JSON.stringify(header)}\n${parts.join("")}`, "latin1"));
  }
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "latin1");
  } catch (error) {
    if (isErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}

function parseHeader(line: string): Header | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return Value.Check(headerSchema, value) ? value : undefined;
  } catch {
    return undefined;
  }
}

const letters = { file: "f", folder: "d", link: "l", other: "o" } as const;

/** Letter, size, time and mode, and of a link where it leads; empty for none. */
function fieldsOf(state: EntryState | undefined): string {
  if (!state) return "";
  const { type, bytes, mtimeNs, mode, target = "" } = state;
  return `${letters[type]} ${bytes} ${mtimeNs} ${mode} ${target}`;
}

function readEntries(text: string): Map<RawPath, Known> {
  const entries = new Map<RawPath, Known>();
  for (let at = 0; at < text.length; ) {
    const first = text.indexOf("\0", at);
    const second = text.indexOf("\0", first + 1);
    const third = text.indexOf("\0", second + 1);
    if (first === -1 || second === -1 || third === -1) break;
    const agreed = stateOf(text.slice(first + 1, second));
    const maybe = possibilityOf(text.slice(second + 1, third));
    entries.set(text.slice(at, first), { ...(agreed ? { agreed } : {}), ...(maybe ? { maybe } : {}) });
    at = third + 1;
  }
  return entries;
}

/** The direction's sign before the state's own fields. */
function possibilityFields(maybe: Possibility | undefined): string {
  return maybe ? `${maybe.direction === "push" ? ">" : "<"}${fieldsOf(maybe.state)}` : "";
}

function possibilityOf(fields: string): Possibility | undefined {
  const state = stateOf(fields.slice(1));
  return state && { state, direction: fields.startsWith(">") ? "push" : "pull" };
}

function stateOf(fields: string): EntryState | undefined {
  if (fields === "") return undefined;
  const [letter = "", bytes = "", mtimeNs = "", mode = ""] = fields.split(" ", 4);
  const facts = { bytes: Number(bytes), mtimeNs, mode: Number(mode) };
  if (letter === "f") return { type: "file", ...facts };
  if (letter === "d") return { type: "folder", ...facts };
  if (letter !== "l") return { type: "other", ...facts };
  const target = fields.slice(letter.length + bytes.length + mtimeNs.length + mode.length + 4);
  return { type: "link", ...facts, target };
}
