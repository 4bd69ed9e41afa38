import { describe, expect, it } from "vitest";
import { begunSince, judgeProcesses, keyOf, workOf } from "../src/agent/activity/judge.ts";
import type { ProcessFacts } from "../src/agent/activity/processes.ts";
import type { HookSign, HookWord } from "../src/agent/attention/hooks.ts";
import { attentionOf, terminalAttention } from "../src/agent/attention/judge.ts";

const hook = (word: HookWord, at: number): HookSign => ({ word, at });
const session = (status: string | undefined, at: number) => ({ status, at });

describe("what Claude does", () => {
  it("is what its hooks say where its session says nothing", () => {
    const words: [HookWord, string][] = [
      ["started", "idle"],
      ["working", "working"],
      ["waiting", "waiting"],
      ["background", "working"],
      ["scheduled", "idle"],
      ["stopped", "idle"],
      ["failed", "error"],
    ];
    for (const [word, expected] of words) {
      expect(attentionOf(hook(word, 1), undefined), word).toBe(expected);
      expect(attentionOf(hook(word, 1), session(undefined, 0)), word).toBe(expected);
    }
    expect(attentionOf(undefined, undefined)).toBeUndefined();
  });

  it("is what its session says after an Esc, of which no hook tells", () => {
    expect(attentionOf(hook("waiting", 1), session("idle", 2))).toBe("idle");
    expect(attentionOf(hook("working", 1), session("idle", 2))).toBe("idle");
  });

  it("has begun with the hook, a moment before the session says so", () => {
    expect(attentionOf(hook("working", 2), session("idle", 1))).toBe("working");
    expect(attentionOf(hook("waiting", 2), session("busy", 1))).toBe("waiting");
    expect(attentionOf(hook("working", 2), session("waiting", 1))).toBe("working");
  });

  it("is work while something runs in the background, and whatever a session says that is new", () => {
    expect(attentionOf(hook("stopped", 2), session("shell", 1))).toBe("working");
    expect(attentionOf(hook("stopped", 1), session("pondering", 2))).toBe("working");
  });

  it("was an error until the next turn", () => {
    expect(attentionOf(hook("failed", 1), session("idle", 2))).toBe("error");
    expect(attentionOf(hook("failed", 1), session("busy", 2))).toBe("working");
  });

  it("is of several in one terminal what most wants a person's eyes", () => {
    expect(terminalAttention(undefined, [session("busy", 1), session("waiting", 1)])).toBe("waiting");
    expect(terminalAttention(undefined, [session("idle", 1), session("busy", 1)])).toBe("working");
  });
});

const shell: ProcessFacts = {
  ...{ pid: 10, parent: 2, name: "bash", group: 10, session: 10, terminal: 34816, foreground: 10 },
  ...{ ticks: 20, childTicks: 0, started: "100", unit: "/system.slice/berth-pty-host.service", commandLine: "" },
};
const process = (more: Partial<ProcessFacts>): ProcessFacts => ({ ...shell, pid: 11, parent: 10, ...more });
const detached = { terminal: 0, foreground: -1, group: 11, session: 11, parent: 1 };

function judge(processes: ProcessFacts[], more: { before?: ProcessFacts[]; claudes?: number[] } = {}) {
  return judgeProcesses(processes, {
    before: more.before && new Map(more.before.map((one) => [keyOf(one), workOf(one)])),
    elapsedMs: 30_000,
    claudes: new Set(more.claudes ?? []),
    own: new Set([2]),
  });
}

describe("what keeps a sandbox awake", () => {
  it("is not a shell at its prompt, however long", () => {
    expect(judge([shell], { before: [shell] })).toEqual([]);
    expect(judge([{ ...shell, name: "tmux: client" }])).toEqual([]);
  });

  it("is the program that has a terminal, working or not", () => {
    const vim = process({ name: "vim", group: 11, foreground: 11 });
    expect(judge([{ ...shell, foreground: 11 }, vim])).toEqual([{ kind: "program", detail: "vim" }]);
    expect(judge([shell, { ...vim, foreground: 10 }])).toEqual([]);
  });

  it("is not a Claude that says itself what it does, nor what that has started", () => {
    const claude = process({ name: "claude", pid: 20, group: 20, foreground: 20 });
    const server = process({ name: "node", pid: 21, parent: 20, group: 20, foreground: 20, ticks: 5_000 });
    expect(judge([claude, server], { claudes: [20], before: [claude, { ...server, ticks: 0 }] })).toEqual([]);
    expect(judge([claude])).toEqual([{ kind: "program", detail: "claude" }]);
  });

  it("is what was left running and takes a processor, but not what waits", () => {
    const build = process({ name: "make", ...detached, ticks: 200 });
    expect(judge([build], { before: [{ ...build, ticks: 100 }] })).toEqual([{ kind: "job", detail: "make" }]);
    expect(judge([build], { before: [{ ...build, ticks: 190 }] })).toEqual([]);
    expect(judge([build], { before: [] })).toEqual([{ kind: "job", detail: "make" }]);
    expect(judge([build]), "of which nothing is measured yet").toEqual([]);
  });

  it("is a service only when it does more than its daily round, and never those of every container", () => {
    const service = process({ name: "postgres", ...detached, unit: "/system.slice/postgresql.service", ticks: 100 });
    expect(judge([service], { before: [{ ...service, ticks: 0 }] })).toEqual([]);
    expect(judge([{ ...service, ticks: 200 }], { before: [{ ...service, ticks: 0 }] })).toEqual([
      { kind: "job", detail: "postgres" },
    ]);
    const journal = { ...service, name: "systemd-journal", unit: "/system.slice/systemd-journald.service", ticks: 900 };
    expect(judge([journal], { before: [{ ...journal, ticks: 0 }] })).toEqual([]);
  });

  it("is somebody who is signed in by SSH, and not who just tries to", () => {
    const sshd = (commandLine: string) =>
      process({ name: "sshd", ...detached, unit: "/system.slice/ssh.service", commandLine });
    expect(judge([sshd("sshd: berth@pts/0")])).toEqual([{ kind: "ssh" }]);
    expect(judge([{ ...sshd("sshd-session: berth@notty"), name: "sshd-session" }])).toEqual([{ kind: "ssh" }]);
    for (const other of [
      "sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups",
      "sshd: berth [preauth]",
      "sshd: [accepted]",
    ])
      expect(judge([sshd(other)]), other).toEqual([]);
  });

  it("is not the server of SSH for what was done in a session that has ended, nor for a sign-in", () => {
    const sshd = (commandLine: string, more: Partial<ProcessFacts>) =>
      process({ name: "sshd", ...detached, unit: "/system.slice/ssh.service", ticks: 3, commandLine, ...more });
    const listener = sshd("sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups", {});
    expect(judge([{ ...listener, childTicks: 400 }], { before: [listener] })).toEqual([]);
    const monitor = sshd("sshd: berth [priv]", { pid: 12, ticks: 30, childTicks: 400 });
    expect(judge([monitor], { before: [] })).toEqual([]);
    const session = sshd("sshd: root@notty", { pid: 13 });
    // One command after the other in a session that is kept: each is over when it is over.
    expect(judge([{ ...session, childTicks: 400 }], { before: [session] })).toEqual([{ kind: "ssh" }]);
    expect(judge([{ ...session, ticks: 90 }], { before: [session] }), "it passes something on").toEqual([
      { kind: "job", detail: "sshd" },
      { kind: "ssh" },
    ]);
  });

  it("is what has many short children", () => {
    const make = process({ name: "make", ...detached });
    expect(judge([{ ...make, childTicks: 90 }], { before: [make] })).toEqual([{ kind: "job", detail: "make" }]);
  });

  it("is a container in it", () => {
    const shim = process({ name: "containerd-shim", ...detached, unit: "/system.slice/containerd.service" });
    expect(judge([shim])).toEqual([{ kind: "container" }]);
  });

  it("is not what has reaped work that is over", () => {
    const manager = { ...detached, unit: "/user.slice/user-1000.slice/user@1000.service/init.scope" };
    const reaper = process({ name: "systemd", ...manager, ticks: 900 });
    expect(judge([reaper], { before: [{ ...reaper, ticks: 1 }] })).toEqual([]);
    expect(judge([{ ...reaper, name: "make" }], { before: [{ ...reaper, name: "make", ticks: 1 }] })).toHaveLength(1);
  });

  it("is, once it has agreed to sleep, whatever is begun in it: by people, by cron, or by a service of theirs", () => {
    const fresh = (more: Partial<ProcessFacts>) =>
      begunSince([shell, process(more)], new Set([keyOf(shell)]), new Set([20])).map(({ detail }) => detail);
    expect(begunSince([shell], new Set([keyOf(shell)]), new Set())).toEqual([]);
    const nothingYet = { name: "make", ticks: 0 };
    expect(fresh(nothingYet)).toEqual(["make"]);
    expect(fresh({ ...nothingYet, ...detached, unit: "/system.slice/cron.service" })).toEqual(["make"]);
    expect(fresh({ ...nothingYet, ...detached, unit: "/system.slice/ssh.service" })).toEqual(["make"]);
    expect(fresh({ ...nothingYet, ...detached, unit: "/system.slice/postgresql.service" })).toEqual(["make"]);
    // The same id, of another process.
    expect(begunSince([{ ...shell, started: "101" }], new Set([keyOf(shell)]), new Set())).toHaveLength(1);
    expect(fresh({ ...nothingYet, ...detached, unit: "/system.slice/systemd-tmpfiles-clean.service" })).toEqual([]);
    expect(fresh({ ...nothingYet, parent: 20 }), "of a Claude, or the agent").toEqual([]);
  });
});
