import { parseJson } from "@berth/protocol";
import { CallFailure, type WorkspaceParams, type WorkspaceRecord } from "@berth/protocol/link";
import Type, { type Static } from "typebox";
import { Value } from "typebox/value";
import type { Job } from "./job.ts";
import { namesOfLinkPath } from "./path.ts";
import { Program } from "./program.ts";
import { cutLines, splitBy } from "./split.ts";
import type { WorkspaceTree } from "./tree.ts";

type Params = WorkspaceParams<"search">;
type Found = WorkspaceRecord<"search">;

const timeMs = 20_000;
/** A line of ripgrep's JSON: of a text line that is longer it shows only the beginning. */
const maxLineBytes = 256 * 1024;
const maxRanges = 64;
const maxTextLetters = 1000;

/** Text, or the base64 of bytes that are none. */
const said = Type.Union([Type.Object({ text: Type.String() }), Type.Object({ bytes: Type.String() })]);
const matchSchema = Type.Object({
  type: Type.Literal("match"),
  data: Type.Object({
    path: said,
    lines: said,
    line_number: Type.Integer(),
    submatches: Type.Array(Type.Object({ start: Type.Integer(), end: Type.Integer() })),
  }),
});

export interface SearchSurroundings {
  readonly tree: WorkspaceTree;
  readonly env: Readonly<Record<string, string>>;
}

/** `search`: by ripgrep, which leaves out what git ignores. The query is never an option, nor a shell's. */
export async function search(job: Job, { tree, env }: SearchSurroundings, params: Params): Promise<void> {
  await tree.within(namesOfLinkPath(params.path), async (cwd) => {
    const fits = params.what === "name" ? nameTest(params) : undefined;
    const program = new Program({ argv: ["rg", ...argumentsOf(params)], cwd, env, signal: job.signal, timeMs });
    const found = fits ? names(program, params, fits) : matches(program, params);
    let count = 0;
    let limited = false;
    for await (const record of found) {
      if (count === 0) job.answer(null);
      if (count >= params.limit) {
        limited = true;
        break;
      }
      await job.record(record);
      count += 1;
    }
    program.stop();
    const { code, stderr, timedOut } = await program.ended;
    // 1: nothing was found; 2 with something found: some files could not be read.
    if (code === 2 && count === 0 && stderr !== "") throw new CallFailure("invalid_request", firstLine(stderr));
    if (count === 0) job.answer(null);
    await job.record({ end: limited ? "limit" : timedOut ? "time" : "complete" });
  });
}

function argumentsOf({ what, query, regex, caseSensitive, ignored, limit }: Params): string[] {
  const files = ["--no-config", "--no-messages", "--hidden", "--glob=!.git", "--glob=!.berth"];
  if (ignored) files.push("--no-ignore");
  if (what === "name") return [...files, "--files", "--null", "--sort=none", "./"];
  return [
    ...files,
    "--json",
    "--no-multiline",
    // It holds back what it finds in one file until it is through with that.
    `--max-count=${limit + 1}`,
    "--max-columns=2000",
    "--max-filesize=32M",
    caseSensitive ? "--case-sensitive" : "--ignore-case",
    ...(regex ? [] : ["--fixed-strings"]),
    `--regexp=${query}`,
    "./",
  ];
}

/** Paths of files whose path, from the folder on, has the query in it. */
async function* names(program: Program, params: Params, fits: (path: string) => boolean): AsyncGenerator<Found> {
  for await (const path of splitBy(program.output(), 0, maxLineBytes)) {
    const plain = withoutDot(path);
    if (fits(plain.toString())) yield { path: inWorkspace(params, plain) };
  }
}

function nameTest({ query, regex, caseSensitive }: Params): (path: string) => boolean {
  // A pattern of the user's may be one that takes for ever: names are looked for as they are written.
  if (regex) throw new CallFailure("invalid_request", "names are not looked for by regular expressions");
  if (caseSensitive) return (path) => path.includes(query);
  const lower = query.toLowerCase();
  return (path) => path.toLowerCase().includes(lower);
}

async function* matches(program: Program, params: Params): AsyncGenerator<Found> {
  for await (const line of cutLines(program.output(), maxLineBytes)) {
    const message = parseJson(line.toString());
    if (Value.Check(matchSchema, message)) yield matchOf(message.data, params);
  }
}

function matchOf(data: Static<typeof matchSchema>["data"], params: Params): Found {
  const path = withoutDot(bytesOf(data.path));
  const line = bytesOf(data.lines);
  const ranges: [number, number][] = [];
  for (const { start, end } of data.submatches.slice(0, maxRanges)) {
    const from = line.toString("utf8", 0, start).length;
    if (from < maxTextLetters) ranges.push([from, Math.min(maxTextLetters, line.toString("utf8", 0, end).length)]);
  }
  const text = line
    .toString()
    .replace(/\r?\n$/, "")
    .slice(0, maxTextLetters)
    .toWellFormed();
  return { path: inWorkspace(params, path), match: { line: data.line_number, text, ranges } };
}

function inWorkspace({ path }: Params, below: Buffer): string {
  const folder = Buffer.from(path, "base64url");
  const whole = folder.length === 0 ? below : Buffer.concat([folder, Buffer.from("/"), below]);
  return whole.toString("base64url");
}

function withoutDot(path: Buffer): Buffer {
  return path.subarray(0, 2).equals(Buffer.from("./")) ? path.subarray(2) : path;
}

function bytesOf(value: Static<typeof said>): Buffer {
  return "text" in value ? Buffer.from(value.text) : Buffer.from(value.bytes, "base64");
}

function firstLine(text: string): string {
  return text.split("\n").slice(0, 8).join(" ").slice(0, 500);
}
