import type { StepName } from "@berth/protocol";
import { type ListedTask, ProxmoxError } from "@berth/proxmox";
import { ManualClock } from "@berth/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { OperationRow } from "../src/operations/record.ts";
import { StepFailure, Superseded } from "../src/sandboxes/failures.ts";
import { beginOn, TaskWatch } from "../src/sandboxes/task-watch.ts";

const minuteMs = 60_000;
const upid = "UPID:pve:00000001:00000001:00000001:vzclone:150:berth@pve!t:";
const operation: OperationRow = {
  id: "op_1",
  owner_id: "usr_1",
  sandbox_id: "sbx_1",
  sandbox_name: "one",
  kind: "create",
  state: "running",
  steps: [],
  error: null,
  request: null,
  result: null,
  created_at: new Date(0),
  finished_at: null,
};

describe("the watch over a task that Proxmox works on", () => {
  let clock: ManualClock;
  let ended: boolean;
  let said: (string | null | undefined)[];
  let stopped: string[];
  let watch: TaskWatch;

  beforeEach(() => {
    clock = new ManualClock();
    [ended, said, stopped] = [false, [], []];
  });
  afterEach(() => {
    watch.end();
    expect(clock.pending).toBe(0);
  });

  function over(step: StepName, unwanted = false): void {
    watch = new TaskWatch({
      client: { tasks: { stop: async (one) => void stopped.push(one) } },
      journal: {
        hasEnded: async () => ended,
        step: async (_operation, _step, detail) => void said.push(detail),
      },
      ...{ clock, operation, step, upid, unwanted },
    });
  }

  it("says once a minute that it takes long, from the second on", async () => {
    over("clone");
    await clock.advance(2 * minuteMs - 1);
    expect(said).toEqual([]);
    await clock.advance(2 * minuteMs);
    expect(said).toEqual([2, 3].map((minutes) => `Proxmox has worked on it for ${minutes} minutes: ${upid}`));
    expect(watch.signal.aborted).toBe(false);
  });

  it("ends the waiting within seconds when the operation has ended", async () => {
    over("clone");
    await clock.advance(minuteMs);
    ended = true;
    await clock.advance(5_000);
    expect(watch.signal.reason).toBeInstanceOf(Superseded);
  });

  it.each([
    ["clone", 60],
    ["start", 10],
    ["delete", 30],
    ["bootstrap", 120],
  ] as const)("takes a task of the step %s for endless after %i minutes, and names it", async (step, minutes) => {
    over(step);
    await clock.advance(minutes * minuteMs);
    expect(watch.signal.aborted).toBe(false);
    await clock.advance(5_000);
    const reason: unknown = watch.signal.reason;
    expect(reason).toBeInstanceOf(StepFailure);
    expect(reason).toMatchObject({ failure: { code: "task_endless", hint: expect.stringContaining(upid) } });
    expect(stopped).toEqual([]);
  });

  it("has what nobody wants stopped once, after a minute, and gives it up after four", async () => {
    over("clone", true);
    await clock.advance(minuteMs);
    expect(stopped).toEqual([]);
    await clock.advance(3 * minuteMs);
    expect(stopped).toEqual([upid]);
    expect(watch.signal.aborted).toBe(false);
    await clock.advance(5_000);
    expect(watch.signal.reason).toBeInstanceOf(StepFailure);
  });

  it("looks no more when it is ended", async () => {
    over("start");
    watch.end();
    await clock.advance(60 * minuteMs);
    expect(watch.signal.aborted).toBe(false);
    expect(said).toEqual([]);
  });
});

describe("a task whose call's answer is lost", () => {
  const at = { node: "pve", vmid: 201 };
  const task = (name: string, startedAtSeconds: number): ListedTask => ({
    ...{ upid: name, node: "pve", type: "vzstart", id: "201", user: "berth@pve!t", startedAtSeconds },
    ...{ endedAtSeconds: undefined, exitStatus: undefined },
  });
  const cut = { kind: "unreachable", address: "127.0.0.1:1", detail: "cut" } as const;
  const lost = new ProxmoxError(cut, { mayHaveActed: true });
  const refused = new ProxmoxError(cut, { mayHaveActed: false });
  let filters: unknown[];
  const clientWith = (list: () => Promise<ListedTask[]>) => {
    filters = [];
    const listed = (node: string, filter: unknown) => {
      filters.push([node, filter]);
      return list();
    };
    return { tasks: { list: listed } };
  };
  const fail = (error: Error) => () => Promise.reject(error);

  it("is the newest of its type that runs on the container", async () => {
    const client = clientWith(async () => [task("older", 5), task("newest", 9), task("old", 2)]);
    expect(await beginOn(client, at, "vzstart", fail(lost))).toBe("newest");
    expect(filters).toEqual([["pve", { vmid: 201, type: "vzstart", source: "active" }]]);
  });

  it("did not begin where none runs, or nobody can tell", async () => {
    await expect(
      beginOn(
        clientWith(async () => []),
        at,
        "vzstart",
        fail(lost),
      ),
    ).rejects.toBe(lost);
    await expect(beginOn(clientWith(fail(refused)), at, "vzstart", fail(lost))).rejects.toBe(lost);
  });

  it("is not looked for when the call cannot have acted, failed otherwise, or was answered", async () => {
    const client = clientWith(async () => [task("other", 1)]);
    await expect(beginOn(client, at, "vzstart", fail(refused))).rejects.toBe(refused);
    const bug = new TypeError("a bug");
    await expect(beginOn(client, at, "vzstart", fail(bug))).rejects.toBe(bug);
    expect(await beginOn(client, at, "vzstart", async () => "answered")).toBe("answered");
    expect(filters).toEqual([]);
  });
});
