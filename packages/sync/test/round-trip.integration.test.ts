import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Scope } from "@berth/base";
import { sshKeyPair } from "@berth/base/node";
import { eventually, startSshServer } from "@berth/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Pair, treeOf } from "./support/pair.ts";

describe("a sync over the real OpenSSH", () => {
  let scope: Scope;
  let pair: Pair;

  beforeEach(async () => {
    scope = new Scope();
    pair = await Pair.make();
    scope.add(() => pair.dispose());
    const [host, client] = [sshKeyPair(randomBytes(32), "host"), sshKeyPair(randomBytes(32), "client")];
    const server = await startSshServer({ hostKey: host.privateKey, authorizedKeys: [client.publicKey] });
    scope.add(() => server.dispose());
    await writeFile(join(pair.state, "key"), client.privateKey, { mode: 0o600 });
    await writeFile(join(pair.state, "known"), `guest ${host.publicKey}\n`);
    const settings = ["HostName=127.0.0.1", "HostKeyAlias=guest", `Port=${server.port}`, "BatchMode=yes"];
    const files = [`IdentityFile=${join(pair.state, "key")}`, `UserKnownHostsFile=${join(pair.state, "known")}`];
    const ssh = ["ssh", "-F", "none", ...[...settings, ...files].flatMap((setting) => ["-o", setting])] as const;
    pair.sandbox = { ssh: [...ssh], host: "guest", path: pair.guest };
  });
  afterEach(() => scope.dispose());

  it("brings odd names, modes, links, sparse and large files there and back", async () => {
    const names = [
      "with space",
      "new\nline",
      "-rf",
      "--delete",
      "quo'te\"s",
      "$(touch x)",
      "back\\#012slash",
      "%n",
      "ü",
      "*?[a]",
    ];
    for (const name of names) writeFileSync(join(pair.host, name), `contents of ${name}`);
    const folder = Buffer.from(`${pair.host}/`);
    writeFileSync(Buffer.concat([folder, Buffer.from([0xff, 0xfe, 0x0d, 0x80])]), "no UTF-8");
    writeFileSync(Buffer.concat([folder, Buffer.alloc(255, "n")]), "long");
    mkdirSync(join(pair.host, "empty folder"));
    mkdirSync(join(pair.host, "deep/er/est"), { recursive: true });
    for (const mode of [0o600, 0o755, 0o444, 0o640]) {
      writeFileSync(join(pair.host, `deep/er/mode ${mode}`), "m");
      chmodSync(join(pair.host, `deep/er/mode ${mode}`), mode);
    }
    writeFileSync(join(pair.host, "set-uid"), "s");
    chmodSync(join(pair.host, "set-uid"), 0o4755);
    symlinkSync("with space", join(pair.host, "link"));
    symlinkSync("nowhere\nat all", join(pair.host, "dangling"));
    writeFileSync(join(pair.host, "sparse"), "begin");
    truncateSync(join(pair.host, "sparse"), 256 * 1024 * 1024);
    writeFileSync(join(pair.host, "large"), randomBytes(24 * 1024 * 1024));
    execFileSync("mkfifo", [join(pair.host, "pipe")]);

    const report = await pair.push({ multiplex: true });
    rmSync(join(pair.host, "pipe"));
    const before = await treeOf(pair.host);
    expect(await treeOf(pair.guest)).toEqual(before);
    expect(statSync(join(pair.guest, "sparse")).blocks).toBeLessThan(2048);
    expect(lstatSync(join(pair.guest, "set-uid")).mode & 0o7777).toBe(0o755);
    expect(report.counts.create).toBe(Object.keys(before).length);
    expect((await pair.push({ multiplex: true })).counts).toMatchObject({
      create: 0,
      update: 0,
      conflict: 0,
      stays: 0,
    });

    // And back, into a folder of its own.
    const other = await Pair.make();
    scope.add(() => other.dispose());
    other.sandbox = pair.sandbox;
    await other.pull({ multiplex: true });
    const back = await treeOf(other.host);
    expect(back).toEqual(before);
  });

  it("brings 50,000 small files there, and finds nothing to do the second time", { timeout: 120_000 }, async () => {
    for (let folder = 0; folder < 500; folder += 1) {
      mkdirSync(join(pair.host, String(folder)));
      for (let file = 0; file < 100; file += 1)
        writeFileSync(join(pair.host, String(folder), String(file)), `${folder}/${file}`);
    }
    const report = await pair.push({ multiplex: true });
    expect(report.counts.create).toBe(50_500);
    const hashes = (root: string) =>
      execFileSync(
        "sh",
        ["-c", "find . -path ./.berth -prune -o -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum"],
        { cwd: root },
      ).toString();
    expect(hashes(pair.guest)).toBe(hashes(pair.host));
    expect((await pair.push({ multiplex: true })).changes).toEqual([]);
    writeFileSync(join(pair.host, "7/7"), "changed");
    expect((await pair.push({ multiplex: true })).changes).toMatchObject([{ path: "7/7", action: "update" }]);
    expect((await pair.push({ multiplex: true })).changes).toEqual([]);
  });

  it("goes on after a cut of a first push, with what was edited meanwhile, and leaves nothing half-written", async () => {
    for (let file = 0; file < 40; file += 1) writeFileSync(join(pair.host, `file ${file}`), randomBytes(256 * 1024));
    const over = new AbortController();
    const cut = pair.push({ signal: over.signal, bwlimitKiB: 4096 });
    await eventually(() => readdirSync(pair.guest).some((name) => name.startsWith("file")), { what: "a first file" });
    over.abort(new Error("cut"));
    await expect(cut).rejects.toThrow("cut");
    const arrived = readdirSync(pair.guest).filter((name) => name.startsWith("file"));
    expect(arrived.length).toBeLessThan(40);
    for (const name of arrived)
      expect(readFileSync(join(pair.guest, name))).toEqual(readFileSync(join(pair.host, name)));
    const [edited = ""] = arrived;
    writeFileSync(join(pair.host, edited), "edited meanwhile");
    const { counts } = await pair.push();
    expect(counts.conflict).toBe(0);
    expect(await treeOf(pair.guest)).toEqual(await treeOf(pair.host));
  });

  /** Has OpenSSH tell what the next runs send and get by it; answers the sum, in bytes. */
  function counted(): () => number {
    const log = join(pair.state, "ssh-log");
    const [program, ...options] = pair.sandbox.ssh;
    pair.sandbox = { ...pair.sandbox, ssh: [program, "-v", "-E", log, ...options] };
    const told = /^Transferred: sent (\d+), received (\d+) bytes/gm;
    return () =>
      [...readFileSync(log, "utf8").matchAll(told)].reduce((sum, [, sent, got]) => sum + Number(sent) + Number(got), 0);
  }

  it.each(["push", "pull"] as const)(
    "keeps what it has of a large file that was cut, and goes on with it (%s)",
    async (direction) => {
      const [source, destination] = direction === "push" ? [pair.host, pair.guest] : [pair.guest, pair.host];
      writeFileSync(join(source, "a"), "1");
      await pair[direction]();
      const bytes = 8 * 1024 * 1024;
      writeFileSync(join(source, "large"), randomBytes(bytes));
      const over = new AbortController();
      const cut = pair[direction]({
        signal: over.signal,
        bwlimitKiB: 2048,
        onProgress: (progress) => progress.bytes > bytes / 2 && over.abort(new Error("cut")),
      });
      await expect(cut).rejects.toThrow("cut");
      expect(readdirSync(destination)).not.toContain("large");
      const carried = counted();
      await pair[direction]();
      expect(await treeOf(destination)).toMatchObject(await treeOf(source));
      expect(carried()).toBeGreaterThan(0);
      expect(carried()).toBeLessThan(bytes * 0.6);
    },
  );

  it("tells what a wrong host key is, and a server that is gone, and has touched nothing", async () => {
    writeFileSync(join(pair.host, "a"), "1");
    const { sandbox } = pair;
    pair.sandbox = { ...sandbox, ssh: ["ssh", "-F", "none", "-o", "Port=1", ...sandbox.ssh.slice(3)] };
    await expect(pair.push({ multiplex: true })).rejects.toMatchObject({ code: "unreachable" });
    pair.sandbox = sandbox;
    await writeFile(join(pair.state, "known"), `guest ${sshKeyPair(randomBytes(32), "other").publicKey}\n`);
    await expect(pair.push({ multiplex: true })).rejects.toMatchObject({ code: "host_key_mismatch" });
    expect(readdirSync(pair.guest)).toEqual([]);
  });
});
