import type { ChildProcess } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { attach, connectPtyHost, endProgram, startProgram, temporaryRoot, until } from "./support/pty-host.ts";

const size = { cols: 80, rows: 24 };
const environment = { PATH: "/usr/bin:/bin", TERM: "xterm-256color", PS1: "$ ", LANG: "C.UTF-8" };
const program = join(import.meta.dirname, "../src/pty-host/main.ts");

let root: ReturnType<typeof temporaryRoot>;
let host: ChildProcess;
let connection: Awaited<ReturnType<typeof connectPtyHost>>;

beforeEach(async () => {
  root = temporaryRoot();
  host = startProgram("pty-host", root.path);
  connection = await connectPtyHost(root.path);
});

afterEach(async () => {
  await connection.close();
  await endProgram(host);
  root.remove();
});

function start(id: string, script: string) {
  const argv = ["/bin/bash", "-c", script];
  return connection.link.call("start", { id, epoch: 1, argv, cwd: "/tmp", env: environment, ...size });
}

/** Has another program take over, and waits until it serves. */
async function replace(by = program): Promise<void> {
  const { link } = connection;
  await link.call("handOver", { program: by });
  await until(() => !link.connected);
  // While it becomes the other program it may still take connections, and drops them.
  const serves = () =>
    link.call("list", {}).then(
      () => true,
      () => false,
    );
  await until(serves);
}

const sha256 = (bytes: string | Buffer) => createHash("sha256").update(bytes).digest("hex");

describe("a PTY host that is replaced by another version", () => {
  it("stays the same process, with its terminals and their programs", async () => {
    await start("t1", "echo before; read -r line; echo after $line; exit 5");
    await until(async () => (await connection.link.call("screen", { id: "t1" })).text.includes("before"));
    await replace();
    expect(host.exitCode).toBe(null);
    expect(await connection.link.call("list", {})).toMatchObject([{ id: "t1", state: "running", epoch: 1 }]);
    await connection.link.call("resize", { id: "t1", cols: 100, rows: 30 });
    const viewer = attach(connection.link, "t1", { from: { epoch: 1, offset: 0 } });
    await connection.link.call("input", { id: "t1", text: "again", submit: true });
    await until(() => viewer.closed !== undefined);
    expect(viewer.text).toBe("before\r\nagain\r\nafter again\r\n");
    expect(viewer.messages.at(-1)).toEqual({ type: "exit", code: 5, signal: null });
    expect(await connection.link.call("screen", { id: "t1" })).toMatchObject({ cols: 100, rows: 30 });
  });

  it("loses no byte of floods, however often it is replaced in them", async () => {
    const lines = 40_000;
    const ids = ["t1", "t2", "t3"];
    const script = `stty raw; for i in $(seq 1 ${lines}); do echo line $i; done; read -r x`;
    for (const id of ids) await start(id, script);
    const seen = new Map(ids.map((id) => [id, { offset: 0, parts: [] as Buffer[] }]));
    const expected = Array.from({ length: lines }, (_, index) => `line ${index + 1}\n`).join("");
    const watch = () =>
      ids.map((id) => {
        const at = seen.get(id) ?? { offset: 0, parts: [] };
        return { at, viewer: attach(connection.link, id, { from: { epoch: 1, offset: at.offset } }) };
      });
    for (let round = 0; round < 3; round += 1) {
      const watched = watch();
      if (round < 2) await replace();
      else await until(() => watched.every(({ viewer }) => viewer.offset >= expected.length), 30_000);
      for (const { at, viewer } of watched) {
        expect(viewer.attached?.mode).toBe("exact");
        at.parts.push(viewer.output);
        at.offset = viewer.offset;
      }
    }
    for (const { parts } of seen.values()) expect(sha256(Buffer.concat(parts))).toBe(sha256(expected));
  });

  it("knows how much of what was typed is written", async () => {
    await start("t1", "stty raw -echo; printf ready; exec cat");
    const input = { stream: "s", offset: 0 };
    const viewer = attach(connection.link, "t1", { from: { epoch: 1, offset: 0 }, input });
    await until(() => viewer.text === "ready");
    viewer.channel.send(Buffer.from("abc"));
    await until(() => viewer.text === "readyabc");
    await replace();
    const again = attach(connection.link, "t1", { from: { epoch: 1, offset: 8 }, input });
    await until(() => again.attached !== undefined);
    expect(again.attached).toMatchObject({ mode: "exact", offset: 8, inputOffset: 3 });
  });

  it("loses nothing of a program that writes its last in the moment between the two", async () => {
    const handover = join(root.path, "run/berth/pty-handover.json");
    await start("t1", `stty raw; until [ -e ${handover} ]; do :; done; head -c 6000 /dev/zero | tr '\\0' x; exit 3`);
    await replace();
    const viewer = attach(connection.link, "t1", { from: { epoch: 1, offset: 0 } });
    await until(() => viewer.closed !== undefined);
    expect(viewer.text).toBe("x".repeat(6000));
    // Whose end the earlier host had waited for, but not told yet, that one's code is lost.
    expect(viewer.messages.at(-1)).toMatchObject({ type: "exit", code: expect.toBeOneOf([3, null]), signal: null });
  });

  it("stays when the other version cannot start, or does not know how to take over", async () => {
    await start("t1", "read -r x");
    const broken = join(root.path, "broken.mjs");
    mkdirSync(root.path, { recursive: true });
    writeFileSync(broken, "throw new Error('built wrong')");
    const stranger = join(root.path, "stranger.mjs");
    writeFileSync(stranger, "console.log('handover 99')");
    for (const other of [broken, stranger, join(root.path, "absent.mjs")]) {
      await expect(connection.link.call("handOver", { program: other })).rejects.toMatchObject({ code: "conflict" });
    }
    expect(connection.link.connected).toBe(true);
    expect(await connection.link.call("list", {})).toMatchObject([{ id: "t1", state: "running" }]);
  });

  it("ends when it is told to just then, as if nobody were to take over", async () => {
    await start("t1", "read -r x");
    await connection.link.call("handOver", { program });
    await until(() => !connection.link.connected);
    const ended = new Promise((resolve) => host.once("exit", resolve));
    host.kill("SIGTERM");
    // In its first moments the next program ends of the signal itself.
    expect(await ended).toBeOneOf([0, null]);
  });

  it("takes nothing over that another process has left", async () => {
    const run = join(root.path, "run/berth");
    const file = join(run, "pty-handover.json");
    const other = { pid: 1, started: "x:1" };
    await start("t1", "read -r x");
    await endProgram(host, "SIGKILL");
    const pty = { fd: 0, pid: 1, slave: "/dev/null" };
    const terminal = { id: "t1", epoch: 1, pty, tail: { offset: 0, base64: "" }, input: [] };
    writeFileSync(file, JSON.stringify({ version: 1, process: other, terminals: [terminal] }));
    host = startProgram("pty-host", root.path);
    await until(async () => (await connection.link.call("list", {}).catch(() => []))[0]?.lost === true);
    expect(existsSync(file)).toBe(false);
  });
});
