import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { sshKeyPair } from "@berth/base/node";
import { type SyncOrder, sync } from "@berth/sync";
import { startSshServer, temporaryDirectory } from "@berth/testkit";
import type { BenchContext, Benchmark, Measurement } from "./benchmark.ts";
import { median, medianRatio } from "./statistics.ts";

const run = promisify(execFile);
const mebibyte = 1024 * 1024;

/** Trees to be pushed: the one is all contents, the other all names. */
const trees = [
  { name: "1 GB", folders: 20, filesOfEach: 20, bytesOfEach: 2.5 * mebibyte },
  { name: "50,000 files", folders: 500, filesOfEach: 100, bytesOfEach: 500 },
] as const;

/** Held to plain rsync through the same sshd: a first push, and one when nothing has changed. */
export const syncBenchmark: Benchmark = {
  name: "sync",
  about: "a push of 1 GB and of 50,000 files, and a second one, by plain rsync to the same sshd",
  defaultRuns: 5,
  async run(context) {
    const bench = await SyncBench.begin(context);
    const measured: Measurement[] = [];
    for (const tree of trees) measured.push(...(await bench.measure(tree)));
    return measured;
  },
};

interface Pair {
  readonly value: number;
  readonly floor: number;
}

class SyncBench {
  readonly #context: BenchContext;
  readonly #folder: string;
  readonly #ssh: readonly [string, ...string[]];

  private constructor(context: BenchContext, folder: string, ssh: readonly [string, ...string[]]) {
    this.#context = context;
    this.#folder = folder;
    this.#ssh = ssh;
  }

  static async begin(context: BenchContext): Promise<SyncBench> {
    const folder = await temporaryDirectory("berth-bench-sync-");
    context.scope.add(() => folder.dispose());
    const [host, client] = [sshKeyPair(randomBytes(32), "host"), sshKeyPair(randomBytes(32), "client")];
    const server = await startSshServer({ hostKey: host.privateKey, authorizedKeys: [client.publicKey] });
    context.scope.add(() => server.dispose());
    const [key, known] = [join(folder.path, "key"), join(folder.path, "known")];
    await writeFile(key, client.privateKey, { mode: 0o600 });
    await writeFile(known, `bench ${host.publicKey}\n`);
    const settings = ["HostName=127.0.0.1", "HostKeyAlias=bench", `Port=${server.port}`, "BatchMode=yes"];
    const files = [`IdentityFile=${key}`, `UserKnownHostsFile=${known}`];
    const options = [...settings, ...files].flatMap((setting) => ["-o", setting]);
    return new SyncBench(context, folder.path, ["ssh", "-F", "none", ...options]);
  }

  async measure(tree: (typeof trees)[number]): Promise<Measurement[]> {
    const { runs, note, signal } = this.#context;
    const source = join(this.#folder, "source");
    await makeTree(source, tree);
    const [first, second]: [Pair[], Pair[]] = [[], []];
    for (let at = 0; at <= runs; at += 1) {
      signal.throwIfAborted();
      // In turn, so that neither is always the one that finds the disk busy.
      const floors = at % 2 === 0 ? await this.#plain(source) : undefined;
      const values = await this.#berth(source);
      const [floor, value] = [floors ?? (await this.#plain(source)), values];
      // The first round reads everything from the disk: it is left out.
      if (at === 0) continue;
      first.push({ value: value[0], floor: floor[0] });
      second.push({ value: value[1], floor: floor[1] });
      note(`${tree.name}: ${value.map(Math.round).join(", ")} ms; plain rsync ${floor.map(Math.round).join(", ")} ms`);
    }
    await rm(source, { recursive: true });
    return [
      measurement(`first push of ${tree.name}`, first, 1.1),
      measurement(`second push of ${tree.name}, nothing changed`, second, 1.3),
    ];
  }

  async #plain(source: string): Promise<[number, number]> {
    const target = join(this.#folder, "plain");
    await mkdir(target);
    const push = () => run("rsync", ["-a", "-e", this.#ssh.join(" "), `${source}/`, `bench:${target}/`]);
    const times: [number, number] = [await timed(push), await timed(push)];
    await rm(target, { recursive: true });
    return times;
  }

  async #berth(source: string): Promise<[number, number]> {
    const [target, state] = [join(this.#folder, "berth"), join(this.#folder, "state")];
    await mkdir(target);
    const order: SyncOrder = {
      direction: "push",
      hostFolder: source,
      sandbox: { ssh: this.#ssh, host: "bench", path: target },
      multiplex: true,
      memoryFile: join(state, "memory"),
      backups: join(state, "backups"),
      dryRun: false,
      deletes: false,
      filter: { excludes: [], gitignore: true, defaultExcludes: true, git: false },
      limits: { files: 1e6, bytes: 1e12 },
      retention: { days: 1, bytes: 1e12 },
      signal: this.#context.signal,
      now: () => Date.now(),
    };
    const times: [number, number] = [await timed(() => sync(order)), await timed(() => sync(order))];
    await rm(target, { recursive: true });
    await rm(state, { recursive: true });
    return times;
  }
}

async function makeTree(root: string, tree: (typeof trees)[number]): Promise<void> {
  const contents = randomBytes(tree.bytesOfEach + tree.filesOfEach);
  for (let folder = 0; folder < tree.folders; folder += 1) {
    const path = join(root, `folder ${folder}`);
    await mkdir(path, { recursive: true });
    for (let file = 0; file < tree.filesOfEach; file += 1) {
      await writeFile(join(path, `file ${file}.txt`), contents.subarray(file, file + tree.bytesOfEach));
    }
  }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}

function measurement(name: string, pairs: readonly Pair[], atMost: number): Measurement {
  return {
    name,
    unit: "ms",
    value: median(pairs.map(({ value }) => value)),
    floor: median(pairs.map(({ floor }) => floor)),
    ratio: medianRatio(pairs),
    goal: { kind: "ratio", atMost },
    details: { runs: pairs.map(({ value }) => value), plain: pairs.map(({ floor }) => floor) },
  };
}
