import { mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Payload, templatePaths, unitFiles, units } from "../src/index.ts";
import { requireRoot, untested } from "./support/needs.ts";
import { smallPayload } from "./support/small-payload.ts";
import { describeTree } from "./support/tree.ts";
import { unpackPayload } from "./support/unpack.ts";

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

describe.skipIf(untested !== undefined)(`the payload of a container (${untested ?? "as root"})`, () => {
  // Files of several owners.
  beforeAll(() => requireRoot());

  it("stays the same when it is unpacked again", async () => {
    const root = await newRoot("root");
    await unpackPayload(payload, root);
    const tree = await describeTree(root);
    expect(tree.length).toBeGreaterThan(60);
    await unpackPayload(payload, root);
    expect(await describeTree(root)).toEqual(tree);
  });

  it("belongs to root, and what is the user's to the user", async () => {
    const root = await newRoot("root");
    await unpackPayload(payload, root);
    expect(await stat(join(root, "usr/lib/berth/agent.mjs"))).toMatchObject({ uid: 0, gid: 0 });
    expect(await stat(join(root, "workspace"))).toMatchObject({ uid: 1000, gid: 1000 });
  });

  it("never writes through a link that lies in its way", async () => {
    const root = await newRoot("root");
    await mkdir(join(root, "usr/bin"), { recursive: true });
    await writeFile(join(folder, "precious"), "precious");
    await symlink(join(folder, "precious"), join(root, templatePaths.claude));
    await unpackPayload(payload, root);
    expect(await readFile(join(folder, "precious"), "utf8")).toBe("precious");
    expect(await readFile(join(root, templatePaths.claude), "utf8")).toBe("the claude");
  });

  it("has the programs that its units run, for everybody to run, and no manuals", async () => {
    const root = await newRoot("root");
    await unpackPayload(payload, root);
    for (const unit of units) {
      for (const { path, text } of unitFiles(unit)) expect(await readFile(join(root, path), "utf8")).toBe(text);
      await stat(join(root, unit.program));
    }
    for (const path of [templatePaths.node, templatePaths.claude, templatePaths.proveDocker]) {
      expect((await stat(join(root, path))).mode & 0o777).toBe(0o755);
    }
    await expect(stat(join(root, templatePaths.npm, "docs"))).rejects.toThrow("ENOENT");
  });
});
