import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { PtyHostLink } from "../src/agent/pty-host-link.ts";
import { attach, connectPtyHost, endProgram, startProgram, temporaryRoot, until } from "./support/pty-host.ts";
import { readRecording, recordingOf } from "./support/recorded.ts";

const size = { cols: 80, rows: 24 };
const environment = { PATH: "/usr/bin:/bin", TERM: "xterm-256color", PS1: "$ ", LANG: "C.UTF-8" };

let root: ReturnType<typeof temporaryRoot>;
let host: ChildProcess;
let link: PtyHostLink;
let close: () => Promise<void>;
let folder: string;

beforeEach(() => {
  root = temporaryRoot();
  folder = join(root.path, "var/lib/berth/terminals");
});

afterEach(async () => {
  await close();
  await endProgram(host);
  root.remove();
});

async function startHost(program = startProgram("pty-host", root.path)): Promise<void> {
  host = program;
  ({ link, close } = await connectPtyHost(root.path));
}

function start(id: string, script: string, epoch = 1) {
  return link.call("start", { id, epoch, argv: ["/bin/bash", "-c", script], cwd: "/tmp", env: environment, ...size });
}

async function ended(id: string): Promise<void> {
  await until(async () => (await link.call("list", {})).some((each) => each.id === id && each.state === "exited"));
}

describe("a terminal's recording", () => {
  it("has the output with its times, sizes and exit, also of an earlier life, and while it runs", async () => {
    await startHost();
    await start("t", "stty -echo; printf one; read -r x; printf two; exit 3");
    const viewer = attach(link, "t", { from: { epoch: 1, offset: 0 } });
    await until(() => viewer.text === "one");
    expect((await recordingOf(link, "t")).output).toBe("one");
    await link.call("resize", { id: "t", cols: 100, rows: 30 });
    await link.call("input", { id: "t", text: "", submit: true });
    await ended("t");
    const first = await recordingOf(link, "t");
    expect(first.header).toMatchObject({ term: { cols: 80, rows: 24, type: "xterm-256color" } });
    expect(first.output).toBe("onetwo");
    expect(first.of("r")).toEqual(["100x30"]);
    expect(first.of("x")).toEqual(["3"]);
    expect(Math.abs((first.header.timestamp ?? 0) - Date.now() / 1000)).toBeLessThan(60);
    expect(first.seconds).toBeLessThan(60);

    await start("t", "printf again; kill -TERM $$", 2);
    await ended("t");
    const both = await recordingOf(link, "t");
    expect(both.output).toContain("onetwo");
    expect(both.output.endsWith("again")).toBe(true);
    expect(both.of("m")).toEqual(["Started anew, after it had ended with status 3"]);
    expect(both.of("x")).toEqual(["143"]);
    expect((await recordingOf(link, "t", 1)).output).toBe("onetwo");
    expect(await readRecording(link, "t", 9)).toMatchObject({ closed: { code: "not_found" } });
    expect(await readRecording(link, "nobody")).toMatchObject({ closed: { code: "not_found" } });
  });

  it("survives a kill of the host in the middle, and goes on in the next epoch", async () => {
    await startHost();
    await start("t", "stty raw; i=0; while :; do i=$((i+1)); echo line $i; done");
    await until(async () => (await recordingOf(link, "t")).output.length > 100_000);
    const before = (await recordingOf(link, "t")).output;
    await endProgram(host, "SIGKILL");
    await close();
    await startHost();
    const after = await recordingOf(link, "t");
    expect(after.output.startsWith(before)).toBe(true);
    expect(after.of("m")).toEqual(["The sandbox stopped here"]);
    await start("t", "printf again; sleep 100", 2);
    await until(async () => (await recordingOf(link, "t", 2)).output.endsWith("again"));
    const whole = await recordingOf(link, "t");
    expect(whole.of("m")).toContain("Started anew");
    expect(whole.output.endsWith("again")).toBe(true);
  });

  it("goes on when another version of the host takes over", async () => {
    await startHost();
    await start("t", "stty -echo; printf one; read -r x; printf two; read -r x");
    await until(async () => (await recordingOf(link, "t")).output === "one");
    await link.call("handOver", { program: join(import.meta.dirname, "../src/pty-host/main.ts") });
    await until(() => !link.connected);
    // Until the new host serves, calls are refused and channels break off.
    const settled = <T>(asked: Promise<T>) => asked.catch(() => undefined);
    const typed = () => link.call("input", { id: "t", text: "", submit: true });
    await until(async () => (await settled(typed())) !== undefined, 30_000);
    await until(async () => (await settled(recordingOf(link, "t")))?.output === "onetwo", 30_000);
    expect((await recordingOf(link, "t")).of("m")).toEqual([]);
  });

  it("is as it was shown while another reads, floods or leaves, and few read at a time", async () => {
    await startHost();
    await start("flood", "stty raw; while :; do printf '0123456789%.0s' $(seq 1000); echo; done");
    await start("t", "stty raw -echo; printf ready; exec cat");
    const viewer = attach(link, "t", { from: { epoch: 1, offset: 0 } });
    await until(() => viewer.text === "ready");
    // Takes a window's worth and nothing more.
    const stuck = Array.from({ length: 4 }, () => link.open("recording", { terminalId: "flood" }));
    await until(async () => (await readRecording(link, "flood")).closed.code === "limit_exceeded");
    viewer.channel.send(Buffer.from("echo"));
    await until(() => viewer.text === "readyecho");
    for (const channel of stuck) channel?.close();
    await until(async () => (await readRecording(link, "flood")).closed.code === undefined);
    expect((await recordingOf(link, "t")).output).toBe("readyecho");
  });

  it("goes with its terminal, and with the fleet's wish, which a host keeps", async () => {
    await startHost();
    await start("gone", "echo secret");
    await ended("gone");
    await link.call("remove", { id: "gone" });
    expect(existsSync(join(folder, "gone"))).toBe(false);
    await start("t", "stty -echo; echo secret; while read -r x; do echo $x; done");
    await until(async () => (await recordingOf(link, "t")).output.includes("secret"));
    await link.call("configure", { recording: false });
    expect(await readRecording(link, "t")).toMatchObject({ closed: { code: "not_found" } });
    expect(readdirSync(join(folder, "t")).filter((name) => name.endsWith(".times"))).toEqual([]);
    await link.call("input", { id: "t", text: "hidden", submit: true });
    await until(async () => (await link.call("screen", { id: "t" })).text.includes("hidden"));
    await link.call("configure", { recording: true });
    await link.call("input", { id: "t", text: "open", submit: true });
    await until(async () => (await recordingOf(link, "t")).output.includes("open"));
    expect((await recordingOf(link, "t")).output).not.toMatch(/secret|hidden/);
    await link.call("configure", { recording: false });
    await close();
    await endProgram(host);
    await startHost();
    expect(await readRecording(link, "t")).toMatchObject({ closed: { code: "not_found" } });
  });

  it.skipIf(process.getuid?.() !== 0)("has a gap where the disk was full, and goes on by itself", async () => {
    mkdirSync(folder, { recursive: true });
    const main = join(import.meta.dirname, "../src/pty-host/main.ts");
    // A disk of its own for the host, in its own view of the machine.
    const script = 'mount -t tmpfs -o size=8m tmpfs "$1" && exec "$2" "$3"';
    const program = spawn("unshare", ["--mount", "sh", "-c", script, "sh", folder, process.execPath, main], {
      env: { PATH: process.env.PATH, BERTH_ROOT: root.path },
      stdio: ["pipe", "pipe", process.env.BERTH_TEST_LOG ? "inherit" : "pipe"],
    });
    await startHost(program);
    await start("t", "stty -echo; printf begin; while read -r x; do head -c 300000 /dev/zero | tr '\\0' $x; done");
    await until(async () => (await recordingOf(link, "t")).output === "begin");
    const filler = join(`/proc/${program.pid}/root`, folder, "t", "filler");
    const fill = spawn("sh", ["-c", 'head -c 20000000 /dev/zero > "$0" || true', filler], { stdio: "ignore" });
    await new Promise((resolve) => fill.once("exit", resolve));
    const viewer = attach(link, "t", { from: { epoch: 1, offset: 0 } });
    for (const letter of "abcdef") {
      const before = viewer.offset;
      await link.call("input", { id: "t", text: letter, submit: true });
      await until(() => viewer.offset >= before + 300_000);
    }
    expect((await link.call("list", {}))[0]).toMatchObject({ state: "running", offset: 1_800_005 });
    spawn("rm", [filler], { stdio: "ignore" });
    await until(() => !existsSync(filler));
    await link.call("input", { id: "t", text: "z", submit: true });
    await until(async () => (await recordingOf(link, "t")).output.endsWith("z".repeat(300_000)));
    const { events, output } = await recordingOf(link, "t");
    const missing = events.find(([, code]) => code === "m");
    expect(missing?.[2]).toMatch(/^\d+ bytes are missing$/);
    expect(output.startsWith("begin")).toBe(true);
    const kept = output.length - "\x18\x1b[m".length;
    expect(kept + Number.parseInt(String(missing?.[2]), 10)).toBe(2_100_005);
  });
});
