import { execFileSync, spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bundledTemplateKeys } from "@berth/base/node";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readTemplateNote } from "../src/index.ts";
import { pack } from "../src/pack/pack.ts";
import { smallPayload } from "./support/small-payload.ts";

const script = join(import.meta.dirname, "../build-with-pct.sh");
const keys = bundledTemplateKeys("a secret");

let folder: string;
let packed: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "berth-pack-"));
  packed = join(folder, "packed");
  await pack(packed, await smallPayload(folder), keys);
});

afterEach(() => rm(folder, { recursive: true, force: true }));

describe("what is packed for a template by hand", () => {
  it("is the payload, and the script with the keys, for its owner alone", async () => {
    const names = execFileSync("tar", ["-tf", join(packed, "payload.tar")], { encoding: "utf8" });
    expect(names.split("\n")).toContain("usr/lib/berth/agent.mjs");
    const text = await readFile(join(packed, "provision.sh"), "utf8");
    expect(text).toContain(keys.client.publicKey.trim());
    expect((await stat(join(packed, "provision.sh"))).mode & 0o777).toBe(0o600);
  });

  it("replaces what was packed before", async () => {
    const payload = { ...(await smallPayload(folder)), version: "another" };
    const before = await readFile(join(packed, "provision.sh"), "utf8");
    await pack(packed, payload, keys);
    expect(await readFile(join(packed, "provision.sh"), "utf8")).not.toBe(before);
  });
});

/** A host whose `pct` and `pveam` write down how they were called. */
async function fakeHost(pct: string): Promise<string> {
  const bin = join(folder, "bin");
  await mkdir(bin);
  for (const name of ["bash", "awk", "sort", "tail", "sleep", "cat", "wc", "env", "tr"]) {
    await symlink(execFileSync("sh", ["-c", `command -v ${name}`], { encoding: "utf8" }).trim(), join(bin, name));
  }
  const log = `echo "$(basename "$0") $*" >>${folder}/calls`.replace('$(basename "$0")', "$NAME");
  await writeFile(join(bin, "id"), "#!/bin/sh\necho 0\n", { mode: 0o755 });
  await writeFile(join(bin, "pct"), `#!/bin/sh\nNAME=pct\n${log}\n${pct}\n`, { mode: 0o755 });
  const pveam = `case $1 in available) echo 'system debian-12-standard_12.7-1_amd64.tar.zst';; esac`;
  await writeFile(join(bin, "pveam"), `#!/bin/sh\nNAME=pveam\n${log}\n${pveam}\n`, { mode: 0o755 });
  return bin;
}

/** As a fresh host answers: the id is free, and what goes into the container is counted. */
const facts = { version: "0123456789abcdef", builtAt: "2026-11-22T01:02:03.000Z", docker: "29.8.2", skipped: [] };
const freshHost = `case $1 in status) exit 2 ;; exec) case "$*" in
  *tar*|*'sh -s') cat >/dev/null ;;
  *'base64 --wrap=0 /etc/berth/template.json') echo ${Buffer.from(`${JSON.stringify(facts, null, 2)}\n`).toString("base64")} ;;
esac ;; esac`;

function build(bin: string, ...words: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(script, words, { env: { PATH: bin }, encoding: "utf8" });
  return { status, stdout, stderr };
}

describe("build-with-pct.sh", () => {
  it("explains itself, and what is wrong with its options", async () => {
    const bin = await fakeHost(freshHost);
    expect(build(bin, "--help")).toMatchObject({ status: 0, stderr: "" });
    expect(build(bin, packed)).toMatchObject({ status: 2, stderr: expect.stringContaining("--storage is missing") });
    expect(build(bin, "--vmid", "7", "--storage", "s", packed)).toMatchObject({ status: 2 });
    expect(build(bin, "--sorage", "s", packed)).toMatchObject({ status: 2 });
  });

  it("creates, provisions and converts an unprivileged container with nesting", async () => {
    const bin = await fakeHost(freshHost);
    expect(build(bin, "--storage", "tank", "--vlan", "20", packed)).toMatchObject({ status: 0, stderr: "" });
    const written = await readFile(join(folder, "calls"), "utf8");
    // The console tells by it what is in the template, and when that is old.
    expect(readTemplateNote(written)).toEqual(facts);
    const calls = written.split("\n").filter((line) => line.startsWith("pct "));
    const create = calls.find((call) => call.startsWith("pct create"));
    expect(create).toContain(
      "150 local:vztmpl/debian-12-standard_12.7-1_amd64.tar.zst --unprivileged 1 --features nesting=1",
    );
    expect(create).toContain("bridge=vmbr0,ip=dhcp,tag=20");
    // As the controller makes one (templates/steps/create.ts): a sandbox's disk cannot be smaller than its template's.
    expect(create).toContain("--cores 2 --memory 2048 --swap 512");
    expect(create).toContain("--rootfs tank:8");
    expect(calls.map((call) => call.split(" ").slice(0, 2).join(" ")).slice(-8)).toEqual([
      "pct start",
      "pct exec",
      "pct exec",
      "pct exec",
      "pct exec",
      "pct set",
      "pct shutdown",
      "pct template",
    ]);
  });

  it("touches no container that has the id already", async () => {
    const bin = await fakeHost("exit 0");
    expect(build(bin, "--storage", "tank", packed)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("150 is taken"),
    });
    expect(await readFile(join(folder, "calls"), "utf8")).toBe("pct status 150\n");
  });

  it("makes no template of a container that could not be provisioned", async () => {
    const bin = await fakeHost(`${freshHost}\ncase "$*" in *'sh -s') exit 1 ;; esac`);
    expect(build(bin, "--storage", "tank", packed)).toMatchObject({ status: 1 });
    expect(await readFile(join(folder, "calls"), "utf8")).not.toContain("pct template");
  });
});
