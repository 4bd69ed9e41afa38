import { execFile } from "node:child_process";
import { chmod, lstat, mkdir, readdir, readFile, readlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { type TemporaryDirectory, temporaryDirectory } from "@berth/testkit";
import { type RemoteFolder, type SyncOrder, type SyncReport, sync } from "../../src/index.ts";

const run = promisify(execFile);

/** Stands in for the OpenSSH client: what it is told to run there runs here. */
const localShell = `#!/bin/sh
shift
exec sh -c "$*"
`;

/** A folder of the host's and one of a sandbox's, with all that a sync of them needs. */
export class Pair {
  readonly host: string;
  readonly guest: string;
  readonly state: string;
  readonly #folder: TemporaryDirectory;
  sandbox: RemoteFolder;

  private constructor(folder: TemporaryDirectory) {
    this.#folder = folder;
    this.host = join(folder.path, "host");
    this.guest = join(folder.path, "guest");
    this.state = join(folder.path, "state");
    this.sandbox = { ssh: [join(folder.path, "local-shell")], host: "sandbox", path: this.guest };
  }

  static async make(): Promise<Pair> {
    const pair = new Pair(await temporaryDirectory("berth-sync-test-"));
    for (const path of [pair.host, pair.guest, pair.state]) await mkdir(path);
    const [shell] = pair.sandbox.ssh;
    await writeFile(shell, localShell);
    await chmod(shell, 0o755);
    return pair;
  }

  dispose(): Promise<void> {
    return this.#folder.dispose();
  }

  order(more: Partial<SyncOrder> = {}): SyncOrder {
    return {
      direction: "push",
      hostFolder: this.host,
      sandbox: this.sandbox,
      multiplex: false,
      memoryFile: join(this.state, "memory"),
      backups: join(this.state, "backups"),
      dryRun: false,
      deletes: false,
      filter: { excludes: [], gitignore: true, defaultExcludes: true, git: false },
      limits: { files: 1_000_000, bytes: 1e12 },
      retention: { days: 30, bytes: 1e12 },
      signal: new AbortController().signal,
      now: () => Date.now(),
      ...more,
    };
  }

  push(more: Partial<SyncOrder> = {}): Promise<SyncReport> {
    return sync(this.order({ direction: "push", ...more }));
  }

  pull(more: Partial<SyncOrder> = {}): Promise<SyncReport> {
    return sync(this.order({ direction: "pull", ...more }));
  }
}

/** Everything in a folder but Berth's own: its names (latin1), modes, times, contents and links. */
export async function treeOf(root: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  const visit = async (folder: Buffer, prefix: string) => {
    for (const entry of await readdir(folder, { encoding: "buffer", withFileTypes: true })) {
      const name = entry.name.toString("latin1");
      if (prefix === "" && name === ".berth") continue;
      const path = Buffer.concat([folder, Buffer.from("/"), entry.name]);
      const stats = await lstat(path, { bigint: true });
      const mode = (Number(stats.mode) & 0o777).toString(8);
      if (stats.isDirectory()) {
        found[prefix + name] = `folder ${mode}`;
        await visit(path, `${prefix}${name}/`);
      } else if (stats.isSymbolicLink()) found[prefix + name] = `link ${(await readlink(path, "latin1")).toString()}`;
      else found[prefix + name] = `file ${mode} ${stats.mtimeNs} ${(await readFile(path)).toString("base64")}`;
    }
  };
  await visit(Buffer.from(root), "");
  return found;
}

/** What all backups of both sides hold. */
export async function backedUp(pair: Pair): Promise<string[]> {
  const { stdout } = await run(
    "find",
    [join(pair.state, "backups"), join(pair.guest, ".berth/backups"), "-type", "f", "-print0"],
    {
      maxBuffer: 1e8,
      encoding: "latin1",
    },
  ).catch((error: { stdout: string }) => error);
  return Promise.all(
    stdout
      .split("\0")
      .filter((path) => path !== "")
      .map((path) => readFile(Buffer.from(path, "latin1"), "latin1")),
  );
}
