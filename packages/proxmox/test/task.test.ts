import { Scope } from "@berth/base";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { parseUpid, type TaskSource, waitForTask } from "../src/index.ts";
import {
  answer,
  clientFor,
  failureOf,
  type Identity,
  makeIdentity,
  refuse,
  ScriptedServer,
} from "./scripted-server.ts";

const UPID = "UPID:pve2:000A1B2C:0012D6871:65A1B2C3:vzclone:150:berth@pve!ctl:";

let identity: Identity;
let scope: Scope;
beforeAll(async () => {
  identity = await makeIdentity();
});
beforeEach(() => {
  scope = new Scope();
});
afterEach(() => scope.dispose());

/** Time that passes by sleeping alone. */
function fakeClock() {
  let time = 0;
  return {
    now: () => time,
    sleep: async (ms: number, signal?: AbortSignal) => {
      signal?.throwIfAborted();
      time += ms;
    },
  };
}

/** A task on a real server: one stage a look at its status; the log grows by the stage's lines. */
async function serveTask(stages: readonly (readonly string[])[], exitStatus: string) {
  const lines: string[] = [];
  let stage = 0;
  const pages: string[] = [];
  const server = await ScriptedServer.start(scope, identity, (request, response) => {
    const url = new URL(request.url, "https://pve");
    expect(decodeURIComponent(url.pathname)).toContain(`/nodes/pve2/tasks/${UPID}/`);
    if (url.pathname.endsWith("/status")) {
      lines.push(...(stages[stage] ?? []));
      stage += 1;
      const running = stage < stages.length;
      answer(response, running ? { status: "running" } : { status: "stopped", exitstatus: exitStatus });
      return;
    }
    const start = Number(url.searchParams.get("start"));
    const limit = Number(url.searchParams.get("limit"));
    pages.push(`${start}+${limit}`);
    const page = lines.slice(start, start + limit).map((t, index) => ({ n: start + index + 1, t }));
    // PVE never answers an empty list, and no total for an empty log.
    const data = lines.length === 0 ? [{ n: 1, t: "no content" }] : page;
    answer(response, data, lines.length === 0 ? {} : { total: lines.length });
  });
  return { server, pages };
}

describe("waiting for a task", () => {
  it("streams its log in order and once, however it grows, over as many pages as it takes", async () => {
    const many = Array.from({ length: 1_203 }, (_, index) => `line ${index}`);
    const stages = [[], ["create full clone"], ["a", "b"], [], many, ["TASK OK"]];
    const { server, pages } = await serveTask(stages, "OK");
    const seen: string[] = [];
    const numbers: number[] = [];
    const client = clientFor(scope, identity, server.url);
    const result = await client.tasks.wait(UPID, {
      clock: fakeClock(),
      logEveryMs: 0,
      onLog: (line, number) => {
        seen.push(line);
        numbers.push(number);
      },
    });
    expect(result).toEqual({ ok: true, exitStatus: "OK", warnings: 0, error: undefined });
    expect(seen).toEqual(stages.flat());
    expect(numbers).toEqual(seen.map((_, index) => index + 1));
    expect(pages.length).toBeGreaterThan(stages.length);
  });

  it.each([
    ["WARNINGS: 3", { ok: true, warnings: 3 }],
    ["CT is locked (create)", { ok: false, warnings: 0, error: { kind: "locked", failure: { lock: "create" } } }],
    ["unexpected status", { ok: false, error: { kind: "other", mayHaveActed: true } }],
  ])("tells how it ended: %s", async (exitStatus, expected) => {
    const { server } = await serveTask([[]], exitStatus);
    const client = clientFor(scope, identity, server.url);
    expect(await client.tasks.wait(UPID)).toMatchObject({ exitStatus, ...expected });
  });

  it("holds a last line that may be half written until it is whole", async () => {
    const states = [["cop"], ["copied 5 MB"], ["copied 5 MB"], ["copied 5 MB", "done"]];
    let look = -1;
    const source: TaskSource = {
      status: async () => {
        look += 1;
        const running = look < states.length - 1;
        return { running, exitStatus: running ? undefined : "OK" };
      },
      log: async (_upid, { start }) => {
        const lines = states[look] ?? [];
        return { lines: lines.map((text, at) => ({ number: at + 1, text })).slice(start), total: lines.length };
      },
    };
    const seen: string[] = [];
    await waitForTask(source, UPID, {
      clock: fakeClock(),
      logEveryMs: 0,
      onLog: (line) => void seen.push(`${look}: ${line}`),
    });
    expect(seen).toEqual(["2: copied 5 MB", "3: done"]);
  });

  it("outlasts a server that does not answer for a while, and gives up after the grace", async () => {
    let failures = 4;
    const server = await ScriptedServer.start(scope, identity, (_request, response) => {
      failures -= 1;
      if (failures >= 0) refuse(response, 596, "Broken pipe");
      else answer(response, { status: "stopped", exitstatus: "OK" });
    });
    const client = clientFor(scope, identity, server.url, { getRetries: 0 });
    expect(await client.tasks.wait(UPID, { clock: fakeClock() })).toMatchObject({ ok: true });
    failures = 10_000;
    const error = await failureOf(client.tasks.wait(UPID, { clock: fakeClock(), logEveryMs: 0, graceMs: 5_000 }));
    expect(error).toMatchObject({ kind: "other", status: 596 });
    expect(10_000 - failures).toBeGreaterThan(10);
    expect(10_000 - failures).toBeLessThan(60);
  });

  it("is not kept busy by a log that never gets on", async () => {
    let reads = 0;
    const source: TaskSource = {
      status: async () => ({ running: reads < 3, exitStatus: "OK" }),
      log: async () => {
        reads += 1;
        return { lines: [{ number: 1, text: "a" }], total: 9 };
      },
    };
    const seen: string[] = [];
    await waitForTask(source, UPID, { clock: fakeClock(), onLog: (line) => void seen.push(line) });
    expect(seen).toEqual(["a"]);
    expect(reads).toBeLessThan(6);
  });

  it.each([
    // One alone is noticed soon after its end, whether it is a short or a long one; of many each is looked at less often.
    { atOnce: 1, endsAtMs: 700, withinMs: 100, looks: 15 },
    { atOnce: 1, endsAtMs: 6_000, withinMs: 160, looks: 70 },
    { atOnce: 1, endsAtMs: 600_000, withinMs: 5_000, looks: 350 },
    { atOnce: 20, endsAtMs: 6_000, withinMs: 500, looks: 25 },
  ])("looks at one of $atOnce that ends after $endsAtMs ms in good time, and not all the time", async (one) => {
    const clock = fakeClock();
    let looks = 0;
    const source: TaskSource = {
      status: async () => {
        looks += 1;
        return { running: clock.now() < one.endsAtMs, exitStatus: "OK" };
      },
      log: async () => ({ lines: [], total: 0 }),
    };
    await waitForTask(source, UPID, { clock, atOnce: () => one.atOnce });
    expect(clock.now() - one.endsAtMs).toBeLessThanOrEqual(one.withinMs);
    expect(looks).toBeLessThanOrEqual(one.looks);
  });

  it("gives up at once on a refusal", async () => {
    const server = await ScriptedServer.start(scope, identity, (_request, response) =>
      refuse(response, 400, "no such task"),
    );
    const client = clientFor(scope, identity, server.url);
    expect(await failureOf(client.tasks.wait(UPID))).toMatchObject({ kind: "invalid" });
    expect(await failureOf(client.tasks.wait("UPID:nonsense"))).toMatchObject({ kind: "protocol" });
    expect(server.requests).toHaveLength(1);
  });

  it("ends on abort with the signal's reason", async () => {
    const aborter = new AbortController();
    const server = await ScriptedServer.start(scope, identity, (_request, response) => {
      aborter.abort(new Error("enough"));
      answer(response, { status: "running" });
    });
    const client = clientFor(scope, identity, server.url);
    await expect(client.tasks.wait(UPID, { signal: aborter.signal })).rejects.toThrow("enough");
  });
});

describe("a task's id", () => {
  it("is taken apart", () => {
    expect(parseUpid(UPID)).toEqual({
      upid: UPID,
      node: "pve2",
      pid: 0xa1b2c,
      processStart: 0x12d6871,
      startedAtSeconds: 0x65a1b2c3,
      type: "vzclone",
      id: "150",
      user: "berth@pve!ctl",
    });
    expect(parseUpid("UPID:pve-1:00000001:00000002:00000003:aptupdate::root@pam:")).toMatchObject({ id: "" });
  });

  it.each(["", "UPID:", `${UPID}x`, UPID.slice(0, -1), "UPID:a/b:00000001:00000002:00000003:x::root@pam:"])(
    "is not %j",
    (text) => expect(parseUpid(text)).toBeUndefined(),
  );
});
