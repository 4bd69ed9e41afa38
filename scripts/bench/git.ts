import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { gitDiff, gitStatus, routeUrl, type Sandbox } from "@berth/protocol";
import type { Berth } from "@berth/testkit";
import Type from "typebox";
import { Value } from "typebox/value";
import type { BenchContext, Benchmark, Measurement } from "./benchmark.ts";
import { median, medianRatio } from "./statistics.ts";
import { ownBerth } from "./whole-berth.ts";

const folders = 250;
const filesInEach = 200;
const files = folders * filesInEach;
/** Every so-many-th file is changed, in one line of its twenty. */
const changedEach = 100;
const goal = { kind: "ratio", atMost: 1.2 } as const;

const run = promisify(execFile);

/** One measurement of a call and of git itself, in milliseconds. */
interface Pair {
  readonly value: number;
  readonly floor: number;
}

/** What a look at a large repository takes, beside git's own commands in the same folder. */
export const git: Benchmark = {
  name: "git",
  about: `status and diff of a repository of ${files} files (${files / changedEach} of them changed) beside git itself`,
  defaultRuns: 7,
  async run(context) {
    const berth = await ownBerth(context, { env: { BERTH_BACKEND: "process" } });
    await berth.start();
    const sandbox = await berth.readySandbox();
    const folder = join(await berth.rootOf(sandbox), "workspace");
    await makeRepository(folder, context);
    const sides = { status: statusOf(berth, sandbox, folder), diff: diffOf(berth, sandbox, folder) };
    const measurements: Measurement[] = [];
    for (const [name, { call, floor }] of Object.entries(sides)) {
      // The first ones bring the files into memory, for both.
      await floor();
      await call();
      const pairs: Pair[] = [];
      for (let turn = 0; turn < context.runs; turn += 1) {
        context.signal.throwIfAborted();
        // Neither is always the one that comes second.
        const order = turn % 2 === 0 ? [floor, call] : [call, floor];
        const took = new Map<() => Promise<void>, number>();
        for (const side of order) took.set(side, await timed(side));
        pairs.push({ value: took.get(call) ?? Number.NaN, floor: took.get(floor) ?? Number.NaN });
      }
      const measurement = measured(name, pairs);
      context.note(`${name}: ${measurement.value.toFixed(0)} ms, git itself ${measurement.floor?.toFixed(0)} ms`);
      measurements.push(measurement);
    }
    return measurements;
  },
};

function statusOf(berth: Berth, sandbox: Sandbox, folder: string) {
  return {
    floor: () => ownGit(folder, "status", "--porcelain=v2", "-z", "--branch", "--untracked-files=normal"),
    call: () => asked(berth, gitStatus, sandbox),
  };
}

function diffOf(berth: Berth, sandbox: Sandbox, folder: string) {
  return {
    floor: () => ownGit(folder, "diff", "--find-renames"),
    call: () => asked(berth, gitDiff, sandbox),
  };
}

/** As a script asks: its own check of each answer against the schema would be measured with it otherwise. */
async function asked(berth: Berth, route: typeof gitStatus | typeof gitDiff, { id }: Sandbox): Promise<void> {
  const address = `${berth.url}${routeUrl(route, { params: { id } })}`;
  const response = await fetch(address, { headers: { authorization: `Bearer ${berth.token}` } });
  const answer: unknown = await response.json();
  if (!Value.Check(answerSchema, answer) || answer.truncated || answer.files.length !== files / changedEach)
    throw new Error("it does not tell of every file that has changed");
}

const answerSchema = Type.Object({ files: Type.Array(Type.Unknown()), truncated: Type.Boolean() });

async function makeRepository(folder: string, { note, signal }: BenchContext): Promise<void> {
  const line = (index: number) => `line of the file ${index}\n`;
  await ownGit(folder, "init", "--quiet");
  for (let at = 0; at < folders; at += 1) {
    signal.throwIfAborted();
    await mkdir(join(folder, `folder-${at}`), { recursive: true });
    const writes = Array.from({ length: filesInEach }, (_, index) =>
      writeFile(pathOf(folder, at * filesInEach + index), line(at * filesInEach + index).repeat(20)),
    );
    await Promise.all(writes);
  }
  await ownGit(folder, "add", "--all");
  await ownGit(folder, "-c", "user.name=b", "-c", "user.email=b@example.org", "commit", "--quiet", "--message=all");
  // An index as young as its files would be doubted by git, each time.
  await new Promise((resolve) => setTimeout(resolve, 1100));
  for (let index = 0; index < files; index += changedEach)
    await writeFile(pathOf(folder, index), `${line(index).repeat(19)}changed\n`);
  await ownGit(folder, "update-index", "--refresh", "-q").catch(() => {});
  note(`a repository of ${files} files is made`);
}

function pathOf(folder: string, index: number): string {
  return join(folder, `folder-${Math.floor(index / filesInEach)}`, `file-${index}.txt`);
}

async function ownGit(folder: string, ...argv: string[]): Promise<void> {
  await run("git", argv, { cwd: folder, maxBuffer: 256 * 1024 * 1024, encoding: "buffer" });
}

async function timed(work: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

function measured(name: string, pairs: readonly Pair[]): Measurement {
  return {
    name,
    unit: "ms",
    value: median(pairs.map(({ value }) => value)),
    floor: median(pairs.map(({ floor }) => floor)),
    ratio: medianRatio(pairs),
    goal,
    details: { berth: pairs.map(({ value }) => value), git: pairs.map(({ floor }) => floor) },
  };
}
