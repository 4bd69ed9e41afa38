import { mkdir, mkdtemp, readdir, readFile, readlink, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { assemblePayload, findPayload, PayloadMissing, units } from "../src/index.ts";
import { programFiles } from "../src/payload/program-files.ts";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "berth-payload-"));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

async function programs(text: string): Promise<string> {
  const path = join(folder, "programs");
  await mkdir(path, { recursive: true });
  for (const file of programFiles) await writeFile(join(path, file), text);
  return path;
}

describe("the template's payload", () => {
  it("names the command that makes it when the agent is not built", async () => {
    await expect(findPayload({ programs: join(folder, "none") })).rejects.toThrow(PayloadMissing);
    await expect(findPayload({ programs: join(folder, "none") })).rejects.toThrow(/npm run build -w @berth\/agent/);
  });

  it("has another version when a program changes, and the same one otherwise", async () => {
    const first = await findPayload({ programs: await programs("1") });
    expect((await findPayload({ programs: await programs("1") })).version).toBe(first.version);
    expect((await findPayload({ programs: await programs("2") })).version).not.toBe(first.version);
  });

  it("is laid out below a root, with what every unit runs", async () => {
    const root = join(folder, "root");
    await assemblePayload(root, await findPayload({ programs: await programs("1") }), "somebody");
    for (const { program } of units) expect(await readFile(join(root, program), "utf8")).toBe("1");
    expect(await readlink(join(root, "usr/bin/node"))).toBe(process.execPath);
    expect(await readdir(join(root, "workspace"))).toEqual([]);
    expect(await readFile(join(root, "home/somebody/.bashrc"), "utf8")).toContain("etc/hostname");
  });

  it("lists units after those that they use", () => {
    const names = units.map(({ name }) => name);
    for (const [index, { uses }] of units.entries()) {
      expect(uses.every((used) => names.indexOf(used) >= 0 && names.indexOf(used) < index)).toBe(true);
    }
  });
});
