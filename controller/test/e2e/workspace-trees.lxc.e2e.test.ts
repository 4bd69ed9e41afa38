import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmod, mkdir, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { type Sandbox, startSync } from "@berth/protocol";
import { temporaryDirectory } from "@berth/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Berth, startBerth } from "./berth.ts";

const run = promisify(execFile);
const [folders, filesOfEach] = [500, 100];

/** One hash of all names, kinds, modes, links and contents below a folder, but for Berth's own notes. */
async function hashOf(root: string): Promise<string> {
  const script = `
    find . -mindepth 1 -path ./.berth -prune -o -mindepth 1 -printf '%y %m %l %p\\0' | sort -z | sha256sum
    find . -path ./.berth -prune -o -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum
    find . -path ./.berth -prune -o -type f -print | wc -l`;
  return (await run("sh", ["-c", script], { cwd: root, env: { ...process.env, LC_ALL: "C" } })).stdout;
}

async function makeTree(root: string): Promise<void> {
  const odd = join(root, "odd");
  await mkdir(join(odd, "empty"), { recursive: true });
  for (const name of ["with space", "new\nline", "-rf", "--delete", "quo'te\"s", "$(touch x)", "%n", "ü", "*?[a]"]) {
    await writeFile(join(odd, name), `contents of ${name}`);
  }
  const at = Buffer.from(`${odd}/`);
  await writeFile(Buffer.concat([at, Buffer.from([0xff, 0xfe, 0x0d, 0x80])]), "no UTF-8");
  await writeFile(Buffer.concat([at, Buffer.alloc(255, "n")]), "long");
  for (const mode of [0o600, 0o755, 0o444, 0o640]) {
    await writeFile(join(odd, `mode ${mode}`), "m");
    await chmod(join(odd, `mode ${mode}`), mode);
  }
  await symlink("with space", join(odd, "link"));
  await writeFile(join(odd, "sparse"), "begin");
  await truncate(join(odd, "sparse"), 256 * 1024 * 1024);
  await writeFile(join(odd, "large"), randomBytes(24 * 1024 * 1024));
  for (let folder = 0; folder < folders; folder += 1) {
    const path = join(root, "many", String(folder));
    await mkdir(path, { recursive: true });
    await Promise.all(
      Array.from({ length: filesOfEach }, (_, file) => writeFile(join(path, String(file)), `${folder}/${file}`)),
    );
  }
}

describe("a tree of odd, sparse and large files, and of 50,000 small ones", () => {
  let folder: Awaited<ReturnType<typeof temporaryDirectory>>;
  let berth: Berth;
  let sandbox: Sandbox;

  beforeAll(async () => {
    folder = await temporaryDirectory("berth-trees-e2e-");
    await Promise.all([makeTree(join(folder.path, "there")), mkdir(join(folder.path, "back"))]);
    berth = await startBerth({ env: { BERTH_WORKSPACE_ROOTS: folder.path } });
    sandbox = await berth.readySandbox({ workspace: { type: "folder", path: join(folder.path, "there") } });
  });
  afterAll(async () => {
    await berth?.dispose();
    await folder?.dispose();
  });

  it("is the same in a container, and back on the host", async () => {
    const wanted = await hashOf(join(folder.path, "there"));
    expect(Number(wanted.trim().split("\n").at(-1))).toBeGreaterThan(folders * filesOfEach);
    expect(await hashOf(join(await berth.rootOf(sandbox), "workspace"))).toBe(wanted);
    const back = join(folder.path, "back");
    const order = { params: { id: sandbox.id }, body: { direction: "pull" as const, folder: back } };
    const { operation } = await berth.client.call(startSync, order);
    expect(await berth.ended(operation.id)).toMatchObject({ state: "succeeded" });
    expect(await hashOf(back)).toBe(wanted);
  });
});
