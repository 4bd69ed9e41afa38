import { spawn } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { layOut, type Payload, payloadArchive, templatePaths, unitPath, units, unpackCommand } from "../src/index.ts";
import { smallPayload } from "./support/small-payload.ts";
import { describeTree } from "./support/tree.ts";

let folder: string;
let payload: Payload;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "berth-payload-"));
  payload = await smallPayload(folder);
});

afterEach(() => rm(folder, { recursive: true, force: true }));

async function newRoot(name: string): Promise<string> {
  const root = join(folder, name);
  await mkdir(root);
  return root;
}

/** As a builder does in a container, whose root is `/`. */
async function unpack(root: string): Promise<void> {
  const [command = "", ...args] = unpackCommand.replace("--directory=/", `--directory=${root}`).split(" ");
  const tar = spawn(command, args, { stdio: ["pipe", "inherit", "inherit"] });
  const ended = new Promise((resolve) => tar.once("close", resolve));
  await pipeline(payloadArchive(payload), tar.stdin);
  expect(await ended).toBe(0);
}

// Files of several owners: only root can lay them out.
describe.skipIf(process.getuid?.() !== 0)("the payload of a container", () => {
  it("is the same whether it is unpacked in a container or laid out below a root", async () => {
    const [unpacked, laidOut] = [await newRoot("unpacked"), await newRoot("laid-out")];
    await unpack(unpacked);
    await layOut(laidOut, payload);
    const tree = await describeTree(laidOut);
    expect(tree.length).toBeGreaterThan(60);
    expect(await describeTree(unpacked)).toEqual(tree);
  });

  it("stays the same when it is laid out or unpacked again", async () => {
    const root = await newRoot("root");
    await layOut(root, payload);
    const tree = await describeTree(root);
    await layOut(root, payload);
    await unpack(root);
    expect(await describeTree(root)).toEqual(tree);
  });

  it("belongs to the shifted ids where a container's root is another user of the machine", async () => {
    const root = await newRoot("root");
    await layOut(root, payload, { idOffset: 100_000 });
    expect(await stat(join(root, "usr/lib/berth/agent.mjs"))).toMatchObject({ uid: 100_000, gid: 100_000 });
    expect(await stat(join(root, "workspace"))).toMatchObject({ uid: 101_000, gid: 101_000 });
  });

  it("never writes through a link that lies in its way", async () => {
    const root = await newRoot("root");
    await mkdir(join(root, "usr/bin"), { recursive: true });
    await writeFile(join(folder, "precious"), "precious");
    await symlink(join(folder, "precious"), join(root, templatePaths.claude));
    await layOut(root, payload);
    expect(await readFile(join(folder, "precious"), "utf8")).toBe("precious");
    expect(await readFile(join(root, templatePaths.claude), "utf8")).toBe("the claude");
  });

  it("has the programs that its units run, for everybody to run, and no manuals", async () => {
    const root = await newRoot("root");
    await layOut(root, payload);
    for (const unit of units) {
      expect(await readFile(join(root, unitPath(unit)), "utf8")).toContain(unit.program);
      await stat(join(root, unit.program));
    }
    for (const path of [templatePaths.node, templatePaths.claude, templatePaths.proveDocker]) {
      expect((await stat(join(root, path))).mode & 0o777).toBe(0o755);
    }
    await expect(stat(join(root, templatePaths.npm, "docs"))).rejects.toThrow("ENOENT");
  });
});
