import type { DiskOperationKind, Failure, SandboxState, StepName } from "@berth/protocol";

/** What is wanted of a sandbox, and what was recorded on the way there. */
export interface Desired {
  readonly power: "running" | "stopped" | "asleep" | "destroyed";
  /** What was told last. */
  readonly state: SandboxState;
  readonly vmid: number | null;
  /** The settings were written to the container. */
  readonly configured: boolean;
  /** Its disk is known to have the identity that the controller gave it last. */
  readonly bootstrapped: boolean;
  /** It was bootstrapped once, if perhaps not since its disk was put back. */
  readonly met: boolean;
  /** The workspace has what it is to have at first. */
  readonly filled: boolean;
  /** Work in it that is nowhere else is to be kept before it is destroyed. */
  readonly keepWanted: boolean;
  /** A restart was asked for since the container was last started. */
  readonly restartWanted: boolean;
  /** Settings were changed that the container does not have yet. */
  readonly changeWanted: boolean;
  /** It was taken from the warm pool, and is to get the name and the keys of whoever took it. */
  readonly handoverWanted: boolean;
  /** What is to be done with its disk. */
  readonly diskWork: DiskOperationKind | undefined;
  /** Of a copy of another sandbox: whether what is to be cloned is there, and whether that is a snapshot to be removed. */
  readonly fork: { readonly prepared: boolean; readonly temporary: boolean } | undefined;
  /** A copy of it is being made, for which Proxmox locks it. */
  readonly copied: boolean;
  /** Ids that the sandbox gave up on, which may yet turn out to be cloned. */
  readonly abandonedVmids: readonly number[];
  /** When the id was taken, in milliseconds. */
  readonly claimedAt: number;
  /** A clone call for the id was made, or was about to be when the controller died, and its end was not seen. */
  readonly cloneAsked: boolean;
  /** What the present operation lists; work that it does not list counts as the first. */
  readonly steps: readonly string[];
  /** The step of the present operation that runs, and since when, in milliseconds. */
  readonly running: { readonly name: string; readonly since: number } | undefined;
}

/** What Proxmox says of the container at the sandbox's vmid. */
export type ObservedContainer =
  | { kind: "none" }
  /** It is there, and may not be read: somebody else's, or a clone on its way, which joins its pool when it is done. */
  | { kind: "hidden" }
  | { kind: "foreign"; reason: string }
  | {
      kind: "ours";
      power: "running" | "stopped";
      lock: string | undefined;
      address: string | undefined;
      /** It has a disk: the clone that made it came to its end. */
      whole: boolean;
    };

export interface Observed {
  readonly container: ObservedContainer;
  /** A Proxmox task of this sandbox's that was begun and whose end was not seen. */
  readonly task: { step: StepName } | undefined;
  readonly agentConnected: boolean;
  /** How long an agent that is not connected could have reported, in milliseconds. */
  readonly agentSilentMs: number;
}

/** The next thing to do. */
export type Plan =
  | { kind: "step"; step: Action; name: StepName; state: SandboxState }
  /** Nothing to do until something changes, or until so many milliseconds have gone by. */
  | { kind: "wait"; name: StepName; state: SandboxState; ms: number; detail: string }
  | { kind: "settled"; state: SandboxState }
  | { kind: "fail"; name: StepName; failure: Failure };

export type Action =
  | "reserve"
  | "abandon"
  | "prepare-fork"
  | "clone"
  | "release-fork"
  | "follow-task"
  | "configure"
  | "change"
  | DiskOperationKind
  | "start"
  | "bootstrap"
  | "hand-over"
  | "fill"
  | "keep"
  | "shutdown"
  | "fall-asleep"
  | "stay-awake"
  | "kill"
  | "delete"
  | "delete-abandoned"
  | "forget";

/** How long something unreadable at our id may be a clone of ours on its way. */
const hiddenLimitMs = 60_000;
/** How long each kind of waiting may last before it is called a failure. What is late may still come and mend it. */
const addressLimitMs = 120_000;
const agentLimitMs = 90_000;
const lockLimitMs = 180_000;
/** How long an agent may be away that is to be asked whether its sandbox may sleep. */
const askLimitMs = 20_000;
const pollMs = 250;
/**
 * How long an agent may be silent before it is told anew how it reaches this controller: it returns by itself within
 * seconds, unless this controller has another address now, or the sandbox lost what it was told.
 */
const rejoinAfterMs = 30_000;

/**
 * The next step from what is to what is wanted. Pure: it looks at nothing but its arguments, so that a controller that
 * was killed anywhere goes on by asking again.
 */
export function plan(desired: Desired, observed: Observed, now: number): Plan {
  const state = transition(desired);
  if (observed.task) {
    const { step } = observed.task;
    return { kind: "step", step: "follow-task", name: step, state: isAside(step) ? undisturbed(desired) : state };
  }
  if (desired.power === "destroyed") return planDestroyed(desired, observed, now);
  if (desired.abandonedVmids.length > 0 && desired.vmid !== null && observed.container.kind === "ours") {
    return { kind: "step", step: "delete-abandoned", name: "configure", state };
  }
  return planPresent(desired, observed, now, state);
}

function planPresent(desired: Desired, observed: Observed, now: number, state: SandboxState): Plan {
  if (desired.vmid === null) return { kind: "step", step: "reserve", name: "reserve", state };
  const { container } = observed;
  switch (container.kind) {
    case "none":
    case "hidden":
      if (desired.configured) return { kind: "fail", name: "start", failure: unreadable(desired.vmid, container.kind) };
      if (container.kind === "none" && desired.fork?.prepared === false) {
        return { kind: "step", step: "prepare-fork", name: "snapshot", state };
      }
      // The call takes the id or is refused, so it may be made again: what is on its way answers "exists".
      if (container.kind === "none" || now - desired.claimedAt <= hiddenLimitMs) {
        return { kind: "step", step: "clone", name: "clone", state };
      }
      return { kind: "step", step: "abandon", name: "clone", state };
    case "foreign":
      if (desired.configured)
        return { kind: "fail", name: "start", failure: containerForeign(desired.vmid, container.reason) };
      return { kind: "step", step: "abandon", name: "clone", state };
    case "ours":
      return planOurs(desired, observed, container, state, now);
  }
}

function planOurs(
  desired: Desired,
  observed: Observed,
  container: Extract<ObservedContainer, { kind: "ours" }>,
  state: SandboxState,
  now: number,
): Plan {
  const next = planUnlocked(desired, observed, container, state, now);
  // Whoever has locked what is as it should be, such as a backup, is none of ours.
  if (container.lock === undefined || next.kind === "settled") return next;
  // And it is no reason to call one failed that nobody has asked to sleep.
  if (desired.power === "asleep" && next.kind === "step" && next.name === "ask") {
    return { ...next, step: "stay-awake" };
  }
  const name =
    next.kind === "step" && isAside(next.name)
      ? next.name
      : !desired.configured
        ? "clone"
        : desired.power === "running"
          ? "start"
          : "stop";
  return waitForLock(desired, container.lock, name, next.kind === "step" ? next.state : state, now);
}

/** What is to be done with a container of ours that nothing holds. */
function planUnlocked(
  desired: Desired,
  observed: Observed,
  container: Extract<ObservedContainer, { kind: "ours" }>,
  state: SandboxState,
  now: number,
): Plan {
  const step = (action: Action, name: StepName): Plan => ({ kind: "step", step: action, name, state });
  // Half a clone whose worker was killed, and which somebody has unlocked.
  if (!desired.configured && !container.whole) return step("delete", "clone");
  if (!desired.configured && desired.fork?.temporary) return step("release-fork", "release");
  if (!desired.configured) return step("configure", "configure");
  if (desired.changeWanted) return { kind: "step", step: "change", name: "change", state: undisturbed(desired) };
  if (desired.diskWork !== undefined) {
    const { diskWork } = desired;
    const stops = diskWork === "rollback" && desired.power === "running";
    return { kind: "step", step: diskWork, name: diskWork, state: stops ? state : undisturbed(desired) };
  }
  if (desired.power === "stopped") {
    return container.power === "running" ? step("shutdown", "stop") : { kind: "settled", state: "stopped" };
  }
  if (desired.power === "asleep") return planAsleep(desired, observed, container.power, now);
  if (container.power === "running" && desired.restartWanted) return step("shutdown", "stop");
  if (container.power === "stopped") return step("start", "start");
  if (desired.bootstrapped && observed.agentConnected) {
    if (desired.handoverWanted) return step("hand-over", "bootstrap");
    return desired.filled ? { kind: "settled", state: "ready" } : step("fill", "workspace");
  }
  if (container.address === undefined) {
    if (isLate(desired, "address", addressLimitMs, now)) return { kind: "fail", name: "address", failure: noAddress };
    return { kind: "wait", name: "address", state, ms: addressPollMs(desired, now), detail: "waiting for an address" };
  }
  if (!desired.bootstrapped) return step("bootstrap", "bootstrap");
  if (isLate(desired, "agent", agentLimitMs, now)) return { kind: "fail", name: "agent", failure: noAgent };
  if (observed.agentSilentMs > rejoinAfterMs) return step("bootstrap", "agent");
  return { kind: "wait", name: "agent", state, ms: 5_000, detail: "waiting for the agent to report" };
}

/**
 * Nothing is put to sleep but by the word of its agent. Until that is given the sandbox is as ready as ever; and where
 * nobody can be asked, it stays awake.
 */
function planAsleep(desired: Desired, observed: Observed, power: "running" | "stopped", now: number): Plan {
  if (power === "stopped") return { kind: "settled", state: "asleep" };
  const name = "ask";
  if (observed.agentConnected) return { kind: "step", step: "fall-asleep", name, state: "ready" };
  if (isLate(desired, name, askLimitMs, now)) return { kind: "step", step: "stay-awake", name, state: "ready" };
  return {
    kind: "wait",
    name,
    state: "stopping",
    ms: 1_000,
    detail: "waiting for the agent, to ask whether it may sleep",
  };
}

/** Eight times a second, where addresses come at once; less often the longer it takes, down to once a second. */
function addressPollMs(desired: Desired, now: number): number {
  const waitedMs = desired.running === undefined ? 0 : now - desired.running.since;
  return Math.min(1_000, Math.max(pollMs / 2, waitedMs / 16));
}

function isLate(desired: Desired, name: StepName, limitMs: number, now: number): boolean {
  const { running, steps } = desired;
  const stands = steps.includes(name) ? name : steps[0];
  return running !== undefined && running.name === stands && now - running.since > limitMs;
}

function waitForLock(desired: Desired, lock: string, name: StepName, state: SandboxState, now: number): Plan {
  if (desired.copied && lock === "disk") {
    return { kind: "wait", name, state, ms: 4 * pollMs, detail: "waiting until a copy of it is made" };
  }
  if (isLate(desired, name, lockLimitMs, now)) return { kind: "fail", name, failure: lockLeft(desired.vmid, lock) };
  return { kind: "wait", name, state, ms: 4 * pollMs, detail: `Proxmox holds the lock "${lock}" on the container` };
}

function planDestroyed(desired: Desired, observed: Observed, now: number): Plan {
  const state = "destroying";
  const { container } = observed;
  if (desired.vmid !== null && container.kind === "ours") {
    if (container.lock !== undefined) return waitForLock(desired, container.lock, "delete", state, now);
    if (container.power === "running" && desired.keepWanted) return { kind: "step", step: "keep", name: "keep", state };
    if (container.power === "running") return { kind: "step", step: "kill", name: "stop", state };
    return { kind: "step", step: "delete", name: "delete", state };
  }
  // An id that was only claimed may be somebody else's by now.
  if (desired.vmid !== null && container.kind === "hidden" && (desired.cloneAsked || desired.configured)) {
    const failure = desired.configured ? unreadable(desired.vmid, "hidden") : cloneLeft(desired.vmid);
    if (isLate(desired, "delete", lockLimitMs, now)) return { kind: "fail", name: "delete", failure };
    const detail = desired.configured ? "its container may not be read" : "waiting for the clone to end";
    return { kind: "wait", name: "delete", state, ms: 4 * pollMs, detail };
  }
  if (desired.abandonedVmids.length > 0) return { kind: "step", step: "delete-abandoned", name: "delete", state };
  if (desired.fork?.temporary) return { kind: "step", step: "release-fork", name: "delete", state };
  return { kind: "step", step: "forget", name: "forget", state };
}

/** How a sandbox on its way is called. */
function transition(desired: Desired): SandboxState {
  if (desired.power === "destroyed") return "destroying";
  const made = desired.met && desired.filled && !desired.handoverWanted;
  if (!desired.configured || (desired.power === "running" && !made)) return "provisioning";
  return desired.power === "running" ? "starting" : "stopping";
}

/** How a sandbox is called while something is done that those who use it do not notice. */
function undisturbed(desired: Desired): SandboxState {
  const { state } = desired;
  return state === "ready" || state === "stopped" || state === "asleep" ? state : transition(desired);
}

/** Whether a step is work beside a sandbox's life: if it fails, the sandbox itself has not. */
export function isAside(name: StepName): boolean {
  return name === "change" || isDiskWork(name);
}

export function isDiskWork(name: string): name is DiskOperationKind {
  return name === "snapshot" || name === "delete_snapshot" || name === "rollback";
}

const noAddress: Failure = {
  code: "no_address",
  message: "The container runs and got no address within two minutes.",
  hint: "Look whether the bridge and VLAN have DHCP and whether the template uses it, then press Start.",
};

const noAgent: Failure = {
  code: "no_agent",
  message: "The container runs and its agent did not report.",
  hint: "Look whether the container reaches the controller's agent port (BERTH_AGENT_URL, BERTH_AGENT_PORT; a firewall?), and at `journalctl -u berth-agent` in it; then press Restart.",
};

/** The API cannot clear a lock that a crashed Proxmox worker left. */
function lockLeft(vmid: number | null, lock: string): Failure {
  if (vmid !== null && lock === "destroyed") return removalLeft(vmid);
  return {
    code: "container_locked",
    message: `Proxmox has held the lock "${lock}" on the container ${vmid} for three minutes: its worker may have crashed.`,
    hint: `If no task works on it, run on its Proxmox host: pct unlock ${vmid} (then try again).`,
  };
}

/** A removal whose worker was killed leaves a configuration that is nothing but a lock: neither disks nor a description. */
export function removalLeft(vmid: number): Failure {
  return {
    code: "container_locked",
    message: `A worker of Proxmox seems to have been killed while it removed the container ${vmid}: only the lock "destroyed" is left of it.`,
    hint: `If no task works on it, run on its Proxmox host: pct unlock ${vmid}; pct destroy ${vmid} (then try again).`,
  };
}

function unreadable(vmid: number, how: "none" | "hidden"): Failure {
  if (how === "none") {
    return {
      code: "container_missing",
      message: `The container ${vmid} is gone from Proxmox.`,
      hint: "Restore it from a backup under the same id and press Start, or delete the sandbox.",
    };
  }
  return {
    code: "container_hidden",
    message: `The container ${vmid} is there, and Berth may not read it.`,
    hint: `Put it back into Berth's pool, or give the token VM.Audit and the rest of its rights on /vms/${vmid}; then try again.`,
  };
}

/** Half a clone whose worker was killed belongs to no pool yet, so it cannot be read, unlocked nor removed by a token. */
export function cloneLeft(vmid: number): Failure {
  return {
    code: "clone_left",
    message: `A worker of Proxmox seems to have been killed while it made the container ${vmid}.`,
    hint: `On its Proxmox host, if pct config ${vmid} shows the lock "create" and no task works on it: pct unlock ${vmid}; pct destroy ${vmid} (then try again).`,
  };
}

function containerForeign(vmid: number, reason: string): Failure {
  return {
    code: "container_foreign",
    message: `The container ${vmid} is not this sandbox's any more: ${reason}. Berth leaves it alone.`,
    hint: "Put its description back if it was edited, and press Start; or delete the sandbox, which will not touch that container.",
  };
}
