import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { DebianBaseMissing, debianBase } from "../src/index.ts";

let folder: string;
let cacheDir: string;
let bin: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "berth-base-"));
  cacheDir = join(folder, "cache");
  bin = join(folder, "bin");
  await mkdir(bin);
  for (const name of ["bash", "sh", "zstd", "cat", "echo", "sleep"]) {
    await symlink(execFileSync("sh", ["-c", `command -v ${name}`], { encoding: "utf8" }).trim(), join(bin, name));
  }
  vi.stubEnv("PATH", bin);
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true, force: true });
});

/** Stands for mmdebstrap, which takes a minute. */
async function mmdebstrapThat(does: string): Promise<void> {
  await writeFile(join(bin, "mmdebstrap"), `#!/bin/sh\necho run >>${folder}/runs\n${does}\n`, { mode: 0o755 });
}

const quiet = { report: () => {} };

describe("the base of a container", () => {
  it("is made once, though several ask at once", async () => {
    await mmdebstrapThat("echo 'I: downloading packages with apt...' >&2; echo a tarball");
    const said: string[] = [];
    const ask = () => debianBase({ cacheDir, report: (line) => said.push(line) });
    const paths = await Promise.all([ask(), ask(), ask()]);
    expect(new Set(paths).size).toBe(1);
    expect(await readFile(join(folder, "runs"), "utf8")).toBe("run\n");
    expect(execFileSync("zstd", ["-dc", paths[0] ?? ""], { encoding: "utf8" })).toBe("a tarball\n");
    expect(said).toContain("downloading packages with apt");
    expect(said.some((line) => line.startsWith("waiting for process"))).toBe(true);
  });

  it("is another one with another mirror", async () => {
    await mmdebstrapThat("echo a tarball");
    const path = await debianBase({ cacheDir, ...quiet });
    expect(await debianBase({ cacheDir, ...quiet, mirror: "http://127.0.0.1/debian" })).not.toBe(path);
  });

  it("says what to install where there is no mmdebstrap, and leaves nothing behind", async () => {
    await expect(debianBase({ cacheDir, ...quiet })).rejects.toThrow(DebianBaseMissing);
    await expect(debianBase({ cacheDir, ...quiet })).rejects.toThrow("apt-get install mmdebstrap");
    expect((await readdir(cacheDir)).filter((name) => !name.endsWith(".lock"))).toEqual([]);
  });

  it("says that there is no mirror, with what mmdebstrap said", async () => {
    await mmdebstrapThat("echo \"E: Failed to fetch http://x Could not resolve 'x'\" >&2; exit 25");
    const failed = debianBase({ cacheDir, ...quiet });
    await expect(failed).rejects.toThrow("no Debian mirror can be reached");
    await expect(failed).rejects.toThrow("Could not resolve 'x'");
  });

  it("stops when it is told to", async () => {
    await mmdebstrapThat("echo 'berth-note: started' >&2; sleep 60");
    const stop = new AbortController();
    const report = (line: string) => {
      if (line === "started") stop.abort(new Error("enough"));
    };
    await expect(debianBase({ cacheDir, report, signal: stop.signal })).rejects.toThrow("enough");
    expect((await readdir(cacheDir)).filter((name) => !name.endsWith(".lock"))).toEqual([]);
  });

  it("takes one of an older Berth out of the cache that nobody asked for in a month", async () => {
    await mkdir(cacheDir);
    const [old, recent, foreign] = ["debian-12-aaaaaaaaaaaa.tar.zst", "debian-12-bbbbbbbbbbbb.tar.zst", "node-v22"];
    for (const name of [old, recent, foreign]) await writeFile(join(cacheDir, name), "");
    const longAgo = new Date(Date.now() - 31 * 24 * 3600 * 1000);
    for (const name of [old, foreign]) await utimes(join(cacheDir, name), longAgo, longAgo);
    await mmdebstrapThat("echo a tarball");
    await debianBase({ cacheDir, ...quiet });
    const left = await readdir(cacheDir);
    expect(left).toContain(recent);
    expect(left).toContain(foreign);
    expect(left).not.toContain(old);
  });
});
