import { describe, expect, it } from "vitest";
import { type Desired, type Observed, type ObservedContainer, plan } from "../src/sandboxes/plan.ts";

const now = 1_000_000;
const fresh: Desired = {
  power: "running",
  state: "provisioning",
  vmid: null,
  configured: false,
  bootstrapped: false,
  met: false,
  filled: true,
  keepWanted: false,
  restartWanted: false,
  changeWanted: false,
  handoverWanted: false,
  diskWork: undefined,
  fork: undefined,
  copied: false,
  abandonedVmids: [],
  claimedAt: now,
  cloneAsked: false,
  steps: ["reserve", "clone", "configure", "start", "address", "bootstrap", "agent", "ready"],
  running: undefined,
};
const made: Desired = { ...fresh, vmid: 151, configured: true, bootstrapped: true, met: true };
const ours = (more: Partial<Extract<ObservedContainer, { kind: "ours" }>> = {}): ObservedContainer => ({
  kind: "ours",
  power: "running",
  lock: undefined,
  address: "10.0.0.2",
  whole: true,
  ...more,
});
const seen = (container: ObservedContainer, more: Partial<Observed> = {}): Observed => ({
  container,
  task: undefined,
  agentConnected: false,
  agentSilentMs: 0,
  ...more,
});

describe("the plan of a workspace", () => {
  it("fills it once the agent reports, and only then calls the sandbox ready", () => {
    const unfilled = { ...made, filled: false };
    expect(plan(unfilled, seen(ours()), now)).toMatchObject({ kind: "wait", name: "agent", state: "provisioning" });
    const connected = seen(ours(), { agentConnected: true });
    expect(plan(unfilled, connected, now)).toMatchObject({ step: "fill", name: "workspace", state: "provisioning" });
    expect(plan({ ...unfilled, power: "stopped" }, seen(ours()), now)).toMatchObject({ step: "shutdown" });
  });

  it("keeps unsaved work before it ends what has it, and not of a container that is off", () => {
    const doomed: Desired = { ...made, power: "destroyed", keepWanted: true };
    expect(plan(doomed, seen(ours()), now)).toMatchObject({ step: "keep", name: "keep", state: "destroying" });
    expect(plan({ ...doomed, keepWanted: false }, seen(ours()), now)).toMatchObject({ step: "kill" });
    expect(plan(doomed, seen(ours({ power: "stopped" })), now)).toMatchObject({ step: "delete" });
  });
});

describe("the plan of a sandbox that lives", () => {
  const ready: Desired = { ...made, state: "ready" };
  const running = seen(ours(), { agentConnected: true });
  const snapshot: Desired = { ...ready, diskWork: "snapshot" };

  it("applies changed settings before anything else is done with it, and is called ready meanwhile", () => {
    const changed = { ...snapshot, changeWanted: true };
    expect(plan(changed, running, now)).toMatchObject({ step: "change", name: "change", state: "ready" });
    const stopped: Desired = { ...changed, power: "stopped", state: "stopped" };
    expect(plan(stopped, seen(ours({ power: "stopped" })), now)).toMatchObject({ step: "change", state: "stopped" });
  });

  it("is handed over to who took it from the warm pool as soon as it has its size and its agent is here", () => {
    const taken: Desired = { ...made, handoverWanted: true, filled: false };
    expect(plan({ ...taken, changeWanted: true }, running, now)).toMatchObject({ step: "change" });
    expect(plan(taken, running, now)).toMatchObject({ step: "hand-over", name: "bootstrap", state: "provisioning" });
    expect(plan(taken, seen(ours()), now)).toMatchObject({ kind: "wait", name: "agent", state: "provisioning" });
    expect(plan({ ...taken, power: "destroyed" }, running, now)).toMatchObject({ step: "kill" });
  });

  it("takes and deletes snapshots without disturbing it, and goes back to one by a start", () => {
    expect(plan(snapshot, running, now)).toMatchObject({ step: "snapshot", state: "ready" });
    expect(plan({ ...ready, diskWork: "delete_snapshot" }, running, now)).toMatchObject({ state: "ready" });
    const back: Desired = { ...ready, diskWork: "rollback" };
    expect(plan(back, running, now)).toMatchObject({ step: "rollback", state: "starting" });
    const stopped: Desired = { ...back, power: "stopped", state: "stopped" };
    expect(plan(stopped, seen(ours({ power: "stopped" })), now)).toMatchObject({ step: "rollback", state: "stopped" });
  });

  it("is bootstrapped anew after its disk was put back, though its agent reports", () => {
    const back: Desired = { ...ready, bootstrapped: false, state: "starting" };
    expect(plan(back, running, now)).toMatchObject({ step: "bootstrap", state: "starting" });
  });

  it("waits for a lock that is in its way, and is settled whoever locks it if nothing is to be done", () => {
    const locked = seen(ours({ lock: "backup" }), { agentConnected: true });
    expect(plan(ready, locked, now)).toEqual({ kind: "settled", state: "ready" });
    expect(plan(snapshot, locked, now)).toMatchObject({ kind: "wait", name: "snapshot", state: "ready" });
    const begun = { ...snapshot, steps: ["snapshot"], running: { name: "snapshot", since: now } };
    expect(plan(begun, locked, now + 181_000)).toMatchObject({ kind: "fail", failure: { code: "container_locked" } });
  });

  it("waits as long as it takes while a copy of it is made", () => {
    const stopping: Desired = {
      ...{ ...ready, power: "stopped", state: "stopping", copied: true },
      ...{ steps: ["stop"], running: { name: "stop", since: now } },
    };
    const locked = seen(ours({ lock: "disk" }), { agentConnected: true });
    expect(plan(stopping, locked, now + 3_600_000)).toMatchObject({ kind: "wait", name: "stop" });
  });
});

describe("the plan of a copy", () => {
  const copy: Desired = { ...fresh, vmid: 151, fork: { prepared: false, temporary: false } };
  const taken: Desired = { ...copy, fork: { prepared: true, temporary: true } };
  const cloned = seen(ours({ power: "stopped" }));

  it("sees to what is to be cloned first, and removes what was taken for it before it is configured", () => {
    expect(plan(copy, seen({ kind: "none" }), now)).toMatchObject({ step: "prepare-fork", name: "snapshot" });
    expect(plan(taken, seen({ kind: "none" }), now)).toMatchObject({ step: "clone" });
    expect(plan(taken, cloned, now)).toMatchObject({ step: "release-fork", name: "release" });
    expect(plan(copy, cloned, now)).toMatchObject({ step: "configure" });
  });

  it("keeps what was taken for it while half a clone is to be made again", () => {
    expect(plan(taken, seen(ours({ power: "stopped", whole: false })), now)).toMatchObject({ step: "delete" });
  });

  it("leaves nothing behind with what it is a copy of when it is destroyed", () => {
    const doomed: Desired = { ...taken, power: "destroyed" };
    expect(plan(doomed, seen({ kind: "none" }), now)).toMatchObject({ step: "release-fork", name: "delete" });
    expect(plan({ ...copy, power: "destroyed" }, seen({ kind: "none" }), now)).toMatchObject({ step: "forget" });
  });
});

describe("the plan of a sandbox that is to run", () => {
  it("goes from nothing to ready one step at a time", () => {
    const way: [Desired, Observed, unknown][] = [
      [fresh, seen({ kind: "none" }), { step: "reserve" }],
      [{ ...fresh, vmid: 151 }, seen({ kind: "none" }), { step: "clone" }],
      [{ ...fresh, vmid: 151 }, seen(ours({ power: "stopped", address: undefined })), { step: "configure" }],
      [
        { ...fresh, vmid: 151, configured: true },
        seen(ours({ power: "stopped", address: undefined })),
        { step: "start" },
      ],
      [
        { ...fresh, vmid: 151, configured: true },
        seen(ours({ address: undefined })),
        { kind: "wait", name: "address" },
      ],
      [{ ...fresh, vmid: 151, configured: true }, seen(ours()), { step: "bootstrap" }],
      [made, seen(ours()), { kind: "wait", name: "agent" }],
      [made, seen(ours(), { agentConnected: true }), { kind: "settled", state: "ready" }],
    ];
    for (const [desired, observed, expected] of way)
      expect(plan(desired, observed, now)).toMatchObject(expected as object);
  });

  it("follows a task that was begun before it looks at anything else", () => {
    expect(plan(fresh, seen({ kind: "none" }, { task: { step: "clone" } }), now)).toMatchObject({
      step: "follow-task",
      name: "clone",
    });
  });

  it("asks again for what may not be read, which takes nothing twice, and gives the id up when it never can be", () => {
    const claimed = { ...fresh, vmid: 151 };
    expect(plan(claimed, seen({ kind: "hidden" }), now + 1_000)).toMatchObject({ step: "clone" });
    expect(plan(claimed, seen({ kind: "hidden" }), now + 300_000)).toMatchObject({ step: "abandon" });
  });

  it("takes another id when somebody else's container has it", () => {
    expect(plan({ ...fresh, vmid: 151 }, seen({ kind: "foreign", reason: "x" }), now)).toMatchObject({
      step: "abandon",
    });
  });

  it("says so and touches nothing when its container was replaced, deleted or hidden", () => {
    for (const container of [{ kind: "foreign", reason: "x" }, { kind: "none" }, { kind: "hidden" }] as const) {
      expect(plan(made, seen(container), now).kind).toBe("fail");
    }
  });

  it("starts a container that stopped by itself", () => {
    expect(plan(made, seen(ours({ power: "stopped" })), now)).toMatchObject({ step: "start", state: "starting" });
  });

  it("stops first when a restart is wanted", () => {
    const restart = { ...made, restartWanted: true };
    expect(plan(restart, seen(ours(), { agentConnected: true }), now)).toMatchObject({
      step: "shutdown",
      name: "stop",
    });
    expect(plan(restart, seen(ours({ power: "stopped" })), now)).toMatchObject({ step: "start" });
  });

  it("waits for a lock of Proxmox's, and names the host command when it stays", () => {
    const waiting = { ...made, running: { name: "start", since: now } };
    const locked = seen(ours({ power: "stopped", lock: "create" }));
    expect(plan(waiting, locked, now + 1_000)).toMatchObject({ kind: "wait" });
    const late = plan(waiting, locked, now + 200_000);
    expect(late).toMatchObject({ kind: "fail", failure: { code: "container_locked" } });
    expect(late.kind === "fail" && late.failure.hint).toContain("pct unlock 151");
  });

  it("counts the waiting for a lock also in work that does not list the step that waits", () => {
    const steps = ["stop"];
    const waiting = { ...made, power: "stopped" as const, steps, running: { name: "stop", since: now - 200_000 } };
    expect(plan(waiting, seen(ours({ lock: "backup" })), now)).toMatchObject({ kind: "fail", name: "stop" });
    const cloning = {
      ...fresh,
      vmid: 151,
      steps: ["start", "address"],
      running: { name: "start", since: now - 200_000 },
    };
    expect(plan(cloning, seen(ours({ lock: "create" })), now)).toMatchObject({ kind: "fail", name: "clone" });
  });

  it("removes half a clone that somebody has unlocked, to make it anew", () => {
    const half = ours({ power: "stopped", whole: false });
    expect(plan({ ...fresh, vmid: 151 }, seen(half), now)).toMatchObject({ step: "delete", name: "clone" });
  });

  it("fails with a cure when no address or no agent comes", () => {
    const addressless = { ...made, bootstrapped: false, running: { name: "address", since: now } };
    expect(plan(addressless, seen(ours({ address: undefined })), now + 121_000)).toMatchObject({
      kind: "fail",
      failure: { code: "no_address" },
    });
    const silent = { ...made, running: { name: "agent", since: now } };
    expect(plan(silent, seen(ours()), now + 91_000)).toMatchObject({ kind: "fail", failure: { code: "no_agent" } });
  });

  it("tells a silent agent anew how it reaches the controller, and goes on waiting after that", () => {
    const away = (agentSilentMs: number) => seen(ours(), { agentSilentMs });
    expect(plan(made, away(30_000), now)).toMatchObject({ kind: "wait", name: "agent", state: "starting" });
    expect(plan(made, away(30_001), now)).toMatchObject({ step: "bootstrap", name: "agent", state: "starting" });
    const inVain = { ...made, running: { name: "agent", since: now - 91_000 } };
    expect(plan(inVain, away(91_000), now)).toMatchObject({ kind: "fail", failure: { code: "no_agent" } });
  });

  it("asks for an address less often the longer it takes", () => {
    const waitMs = (waitedMs: number) => {
      const running = { name: "address", since: now - waitedMs };
      const next = plan({ ...made, running }, seen(ours({ address: undefined })), now);
      return next.kind === "wait" ? next.ms : undefined;
    };
    expect([0, 2_000, 8_000, 60_000].map(waitMs)).toEqual([125, 125, 500, 1_000]);
  });

  it("removes what it abandoned once its own container is there", () => {
    const desired = { ...fresh, vmid: 152, abandonedVmids: [151] };
    expect(plan(desired, seen(ours({ power: "stopped" })), now)).toMatchObject({ step: "delete-abandoned" });
  });
});

describe("the plan of a sandbox that is to be stopped", () => {
  const stopped: Desired = { ...made, power: "stopped" };

  it("shuts it down, and is settled when it is", () => {
    expect(plan(stopped, seen(ours(), { agentConnected: true }), now)).toMatchObject({
      step: "shutdown",
      state: "stopping",
    });
    expect(plan(stopped, seen(ours({ power: "stopped" })), now)).toEqual({ kind: "settled", state: "stopped" });
  });

  it("makes and configures a new one without starting it", () => {
    const unmade = { ...fresh, power: "stopped" as const };
    expect(plan(unmade, seen({ kind: "none" }), now)).toMatchObject({ step: "reserve" });
    expect(plan({ ...unmade, vmid: 151, configured: true }, seen(ours({ power: "stopped" })), now)).toMatchObject({
      kind: "settled",
    });
  });
});

describe("the plan of a sandbox that is to be destroyed", () => {
  const doomed: Desired = { ...made, power: "destroyed" };

  it("stops, deletes and forgets", () => {
    expect(plan(doomed, seen(ours()), now)).toMatchObject({ step: "kill", name: "stop" });
    expect(plan(doomed, seen(ours({ power: "stopped" })), now)).toMatchObject({ step: "delete" });
    expect(plan(doomed, seen({ kind: "none" }), now)).toMatchObject({ step: "forget" });
  });

  it("never touches a container that is not its own", () => {
    expect(plan(doomed, seen({ kind: "foreign", reason: "x" }), now)).toMatchObject({ step: "forget" });
  });

  it("waits for a clone on its way before it forgets", () => {
    const early = { ...fresh, vmid: 151, power: "destroyed" as const, cloneAsked: true };
    expect(plan(early, seen({ kind: "hidden" }), now)).toMatchObject({ kind: "wait" });
    expect(plan({ ...early, cloneAsked: false }, seen({ kind: "hidden" }), now)).toMatchObject({ step: "forget" });
  });

  it("does not forget a container that is there and cannot be read, and says what to do about it", () => {
    const late = { name: "delete", since: now - 200_000 };
    const steps = ["stop", "delete", "forget"];
    const unseen = { ...doomed, steps, running: late };
    expect(plan(unseen, seen({ kind: "hidden" }), now)).toMatchObject({
      kind: "fail",
      failure: { code: "container_hidden" },
    });
    const half = plan({ ...unseen, configured: false, cloneAsked: true }, seen({ kind: "hidden" }), now);
    expect(half).toMatchObject({ kind: "fail", failure: { code: "clone_left" } });
    expect(half.kind === "fail" && half.failure.hint).toContain("pct unlock 151; pct destroy 151");
  });

  it("removes abandoned containers before it forgets", () => {
    expect(plan({ ...doomed, abandonedVmids: [160] }, seen({ kind: "none" }), now)).toMatchObject({
      step: "delete-abandoned",
    });
  });

  it("names the cure of what a killed removal left, also where nobody asked for it", () => {
    const left = seen(ours({ power: "stopped", lock: "destroyed", address: undefined, whole: false }));
    const running = { name: "delete", since: now - 200_000 };
    const destroyed: Desired = { ...made, power: "destroyed", steps: ["stop", "delete", "forget"], running };
    expect(plan({ ...destroyed, running: { ...running, since: now } }, left, now)).toMatchObject({ kind: "wait" });
    const hint = expect.stringContaining("pct unlock 151; pct destroy 151");
    expect(plan(destroyed, left, now)).toMatchObject({ kind: "fail", failure: { code: "container_locked", hint } });
    const started = { ...made, running: { name: "start", since: now - 200_000 } };
    expect(plan(started, left, now)).toMatchObject({ kind: "fail", failure: { hint } });
  });
});

describe("the plan of a sandbox that is to sleep", () => {
  const sleepy: Desired = { ...made, power: "asleep", steps: ["ask", "stop"] };

  it("asks it, and is ready until it agrees", () => {
    const asked = plan(sleepy, seen(ours(), { agentConnected: true }), now);
    expect(asked).toMatchObject({ step: "fall-asleep", name: "ask", state: "ready" });
    expect(plan(sleepy, seen(ours({ power: "stopped" })), now)).toEqual({ kind: "settled", state: "asleep" });
  });

  it("waits for an agent that is away, not for long, and leaves it awake then", () => {
    const away = seen(ours());
    expect(plan(sleepy, away, now)).toMatchObject({ kind: "wait", name: "ask" });
    const late = { ...sleepy, running: { name: "ask", since: now - 20_001 } };
    expect(plan(late, away, now)).toMatchObject({ step: "stay-awake", name: "ask", state: "ready" });
  });

  it("follows a shutdown that was begun, whatever the agent says", () => {
    const shutting = seen({ kind: "none" }, { task: { step: "stop" }, agentConnected: true });
    expect(plan(sleepy, shutting, now)).toMatchObject({ step: "follow-task", name: "stop", state: "stopping" });
  });

  it("is started again by a wake", () => {
    const woken = { ...sleepy, power: "running" as const };
    expect(plan(woken, seen(ours({ power: "stopped" })), now)).toMatchObject({ step: "start", state: "starting" });
  });
});
