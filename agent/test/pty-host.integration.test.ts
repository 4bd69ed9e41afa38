import type { ChildProcess } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { PtyHostLink } from "../src/agent/pty-host-link.ts";
import { attach, connectPtyHost, endProgram, startProgram, temporaryRoot, until } from "./support/pty-host.ts";

const size = { cols: 80, rows: 24 };
const environment = { PATH: "/usr/bin:/bin", TERM: "xterm-256color", PS1: "$ ", LANG: "C.UTF-8" };

let root: ReturnType<typeof temporaryRoot>;
let host: ChildProcess;
let link: PtyHostLink;
let close: () => Promise<void>;

beforeEach(async () => {
  root = temporaryRoot();
  await restartHost();
});

afterEach(async () => {
  await close();
  await endProgram(host);
  root.remove();
});

async function restartHost(): Promise<void> {
  host = startProgram("pty-host", root.path);
  ({ link, close } = await connectPtyHost(root.path));
}

function isAlive(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/stat`, "latin1").split(") ")[1]?.[0] !== "Z";
  } catch {
    return false;
  }
}

function start(id: string, script: string, epoch = 1) {
  return link.call("start", { id, epoch, argv: ["/bin/bash", "-c", script], cwd: "/tmp", env: environment, ...size });
}

describe("a terminal of the PTY host", () => {
  it("shows what its program writes, and its end after the last byte", async () => {
    await start("t1", "printf hello; exit 3");
    const viewer = attach(link, "t1", { from: { epoch: 1, offset: 0 } });
    await until(() => viewer.closed !== undefined);
    expect(viewer.text).toBe("hello");
    expect(viewer.messages.at(-1)).toEqual({ type: "exit", code: 3, signal: null });
    expect(viewer.closed).toEqual({});
  });

  it("echoes input once and counts it", async () => {
    await start("t1", "stty raw -echo; printf ready; exec cat");
    const viewer = attach(link, "t1", { from: { epoch: 1, offset: 0 }, input: { stream: "s", offset: 0 } });
    await until(() => viewer.text === "ready");
    viewer.channel.send(Buffer.from("abc"));
    await until(() => viewer.text === "readyabc");
    await until(() => viewer.messages.some((message) => message.type === "inputAck" && message.offset === 3));
    const again = attach(link, "t1", { input: { stream: "s", offset: 0 } });
    await until(() => again.attached !== undefined);
    expect(again.attached?.inputOffset).toBe(3);
    await until(() => viewer.closed !== undefined);
    expect(viewer.closed?.code).toBe("superseded");
  });

  it("loses none of the last output of a program that writes much and exits at once", async () => {
    await start("t1", "stty raw; head -c 700000 /dev/zero | tr '\\0' x; printf END");
    const viewer = attach(link, "t1", { from: { epoch: 1, offset: 0 } });
    await until(() => viewer.closed !== undefined);
    expect(viewer.messages.map((message) => message.type)).toEqual(["attached", "exit"]);
    expect(viewer.output.byteLength).toBe(700_003);
    expect(viewer.text.endsWith("xEND")).toBe(true);
  });

  it("goes on byte for byte when the agent is killed while it streams", async () => {
    await start("t1", "stty raw; for i in $(seq 1 30000); do echo line $i; done; read -r x");
    const first = attach(link, "t1", { from: { epoch: 1, offset: 0 } });
    await until(() => first.offset > 20_000);
    await close();
    ({ link, close } = await connectPtyHost(root.path));
    const second = attach(link, "t1", { from: { epoch: 1, offset: first.offset } });
    const expected = Array.from({ length: 30_000 }, (_, index) => `line ${index + 1}\n`).join("");
    await until(() => second.offset === expected.length);
    expect(second.attached?.mode).toBe("exact");
    const hash = (text: string | Buffer) => createHash("sha256").update(text).digest("hex");
    expect(hash(Buffer.concat([first.output.subarray(0, second.firstOffset), second.output]))).toBe(hash(expected));
  });

  it("reads exited and lost with its last screen after the host was killed, and starts anew in the next epoch", async () => {
    await start("t1", "printf 'the last screen'; sleep 100");
    await until(async () => (await link.call("screen", { id: "t1" })).text === "the last screen");
    const { promise, resolve } = Promise.withResolvers<void>();
    setTimeout(resolve, 600); // Within a second it is on disk.
    await promise;
    await endProgram(host, "SIGKILL");
    await close();
    await restartHost();
    const [status] = await link.call("list", {});
    expect(status).toMatchObject({ id: "t1", state: "exited", lost: true, epoch: 1, offset: 15 });
    expect((await link.call("screen", { id: "t1" })).text).toBe("the last screen");
    const viewer = attach(link, "t1");
    await until(() => viewer.closed !== undefined);
    expect(viewer.snapshot?.toString()).toContain("the last screen");
    expect(viewer.messages.at(-1)).toEqual({ type: "exit", code: null, signal: null });

    const anew = await start("t1", "printf again; sleep 100", 2);
    expect(anew).toMatchObject({ state: "running", epoch: 2, lost: false });
    expect(await start("t1", "printf never", 2)).toMatchObject({ epoch: 2 });
    await until(async () => (await link.call("screen", { id: "t1" })).text.endsWith("again"));
    expect((await link.call("screen", { id: "t1" })).text).toBe("the last screen\n— started anew —\nagain");
  });

  it("ends as it was told, when the host is killed in the moment in which it is told", async () => {
    await start("t1", "printf 'last words'; read -r x; exit 3");
    const viewer = attach(link, "t1", { from: { epoch: 1, offset: 0 } });
    await until(() => viewer.text === "last words");
    const { promise, resolve } = Promise.withResolvers<void>();
    viewer.channel.handle({
      onMessage: () => {
        host.kill("SIGKILL");
        resolve();
      },
    });
    viewer.channel.send(Buffer.from("\n"));
    await promise;
    await endProgram(host, "SIGKILL");
    await close();
    await restartHost();
    const [status] = await link.call("list", {});
    const exit = { code: 3, signal: null };
    expect(status).toMatchObject({ id: "t1", state: "exited", lost: false, exit });
    expect((await link.call("screen", { id: "t1" })).text.trimEnd()).toBe("last words");
  });

  it("ends a program that outlived its killed host", async () => {
    await start("t1", "trap '' HUP; printf 'pid %s.' $$; exec sleep 1236 <&- >&- 2>&-");
    const viewer = attach(link, "t1", { from: { epoch: 1, offset: 0 } });
    await until(() => viewer.text.includes("."));
    const pid = Number(/pid ([0-9]+)/.exec(viewer.text)?.[1]);
    const meta = join(root.path, "var/lib/berth/terminals/t1/meta.json");
    await until(() => readFileSync(meta, "utf8").includes("session"));
    await endProgram(host, "SIGKILL");
    await close();
    expect(isAlive(pid)).toBe(true);
    await restartHost();
    await until(() => !isAlive(pid));
  });

  it("ends the whole session of its program when it is removed", async () => {
    await start("t1", "trap '' HUP; set -m; (trap '' HUP; exec sleep 1234) & printf \"pid %s.\" $!; sleep 1235");
    const viewer = attach(link, "t1", { from: { epoch: 1, offset: 0 } });
    await until(() => viewer.text.includes("."));
    const pid = Number(/pid ([0-9]+)/.exec(viewer.text)?.[1]);
    await link.call("remove", { id: "t1" });
    expect(await link.call("list", {})).toEqual([]);
    await until(() => !isAlive(pid));
  });

  it("has its program end before the host when the memory is out", async () => {
    await start("t1", "read -r x; cat /proc/self/oom_score_adj; read -r x");
    await link.call("input", { id: "t1", text: "", submit: true });
    await until(async () => /^100$/m.test((await link.call("screen", { id: "t1" })).text));
  });

  it("refuses a second host on the same folder", async () => {
    const second = startProgram("pty-host", root.path);
    const code = await new Promise((resolve) => second.once("exit", resolve));
    expect(code).toBe(1);
    expect(await link.call("list", {})).toEqual([]);
  });
});
