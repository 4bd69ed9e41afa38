import type { Failure, StepName } from "@berth/protocol";

/** What is wanted of a container that is to become a template, and what was recorded on the way there. */
export interface WantedTemplate {
  /** `gone`: the build failed or was cancelled, and leaves nothing behind. */
  readonly end: "template" | "gone";
  /** Since when that is wanted, in milliseconds. */
  readonly since: number;
  readonly vmid: number | null;
  /** Debian's own template was found. */
  readonly archiveFound: boolean;
  /** When the call that makes the container was made, or was about to be; undefined: never. In milliseconds. */
  readonly askedAt: number | undefined;
  /** The container was made. */
  readonly made: boolean;
  /** Its host keys were read from the log of its making, and it has shown one of them. */
  readonly verified: boolean;
  readonly sent: boolean;
  readonly provisioned: boolean;
  readonly proved: boolean;
  /** The step that runs, and since when, in milliseconds. */
  readonly running: { readonly name: string; readonly since: number } | undefined;
}

/** What Proxmox says of the container at the build's vmid. */
export type ObservedBuild =
  | { kind: "none" }
  /**
   * Something has the id and does not say what it is: it may not be read, or it is still being made. `begun`: a task of
   * this build's began to make it, and did not end by taking it away again.
   */
  | { kind: "hidden"; begun: boolean }
  | { kind: "foreign" }
  | { kind: "ours"; running: boolean; template: boolean; lock: string | undefined; address: string | undefined };

export interface Observed {
  readonly container: ObservedBuild;
  /** A Proxmox task of this build's that was begun and whose end was not seen. */
  readonly task: { step: StepName } | undefined;
}

export type BuildAction =
  | "find-debian"
  | "reserve"
  | "release"
  | "create"
  | "follow-task"
  | "start"
  | "connect"
  | "send"
  | "provision"
  | "prove"
  | "shutdown"
  | "convert"
  | "adopt"
  | "stop-task"
  | "kill"
  | "destroy"
  | "forget";

/** The next thing to do. */
export type BuildPlan =
  | { kind: "step"; step: BuildAction; name: StepName | undefined }
  | { kind: "wait"; name: StepName | undefined; ms: number; detail: string }
  | { kind: "fail"; name: StepName | undefined; failure: Failure };

const addressLimitMs = 120_000;
const lockLimitMs = 180_000;
/** How long what cannot be read may be ours on its way, or on its way out. */
const hiddenLimitMs = 30_000;
const pollMs = 500;

/** The next step of a build. Pure, so that a controller that was killed anywhere goes on by asking again. */
export function planBuild(wanted: WantedTemplate, observed: Observed, now: number): BuildPlan {
  return wanted.end === "gone" ? planGone(wanted, observed, now) : planTemplate(wanted, observed, now);
}

function planTemplate(wanted: WantedTemplate, { task, container }: Observed, now: number): BuildPlan {
  if (task) return step("follow-task", task.step);
  if (!wanted.archiveFound) return step("find-debian", "debian");
  if (wanted.vmid === null) return step("reserve", "reserve");
  switch (container.kind) {
    case "none":
    case "hidden":
      if (wanted.made) return { kind: "fail", name: undefined, failure: containerGone(wanted.vmid) };
      // The call takes the id or is refused, so it may be made again.
      return step("create", "create");
    case "foreign":
      if (wanted.made) return { kind: "fail", name: undefined, failure: containerGone(wanted.vmid) };
      return step("release", "reserve");
    case "ours":
      return planOurs(wanted, container, now);
  }
}

function planOurs(wanted: WantedTemplate, container: Extract<ObservedBuild, { kind: "ours" }>, now: number): BuildPlan {
  if (container.template) return step("adopt", "adopt");
  const { lock, address } = container;
  if (lock !== undefined) {
    const name = wanted.made ? undefined : "create";
    if (wanted.running && now - wanted.running.since > lockLimitMs) {
      return { kind: "fail", name, failure: lockLeft(wanted.vmid, lock) };
    }
    return { kind: "wait", name, ms: 2 * pollMs, detail: `Proxmox holds the lock "${lock}" on the container` };
  }
  if (!wanted.made) return step("create", "create");
  if (wanted.proved) return container.running ? step("shutdown", "convert") : step("convert", "convert");
  if (!container.running) return step("start", "start");
  if (address === undefined) {
    if (wanted.running?.name === "address" && now - wanted.running.since > addressLimitMs) {
      return { kind: "fail", name: "address", failure: noAddress };
    }
    return { kind: "wait", name: "address", ms: pollMs, detail: "waiting for an address" };
  }
  if (!wanted.verified) return step("connect", "connect");
  if (!wanted.sent) return step("send", "send");
  return wanted.provisioned ? step("prove", "prove") : step("provision", "provision");
}

function planGone(wanted: WantedTemplate, { task, container }: Observed, now: number): BuildPlan {
  if (task) return step("stop-task", undefined);
  const waited = now - wanted.since;
  if (wanted.vmid === null) return step("forget", undefined);
  switch (container.kind) {
    case "none":
    case "foreign":
      return step("forget", undefined);
    case "hidden":
      if (wanted.askedAt === undefined) return step("forget", undefined);
      if (waited <= hiddenLimitMs) {
        return { kind: "wait", name: undefined, ms: 4 * pollMs, detail: "waiting what comes of a call" };
      }
      if (!container.begun) return step("forget", undefined);
      return { kind: "fail", name: undefined, failure: lockLeft(wanted.vmid, "create") };
    case "ours":
      if (container.lock !== undefined) {
        if (waited > lockLimitMs)
          return { kind: "fail", name: undefined, failure: lockLeft(wanted.vmid, container.lock) };
        return { kind: "wait", name: undefined, ms: 2 * pollMs, detail: `Proxmox holds the lock "${container.lock}"` };
      }
      return step(container.running ? "kill" : "destroy", undefined);
  }
}

function step(action: BuildAction, name: StepName | undefined): BuildPlan {
  return { kind: "step", step: action, name };
}

const noAddress: Failure = {
  code: "no_address",
  message: "The container runs and has no network address after two minutes.",
  hint: "Look whether its bridge has a DHCP server, or build with another bridge.",
};

function lockLeft(vmid: number | null, lock: string): Failure {
  return {
    code: "container_locked",
    message: `Proxmox has held the lock "${lock}" on the container ${vmid} for long: its worker may have crashed.`,
    hint: `If no task works on it, run on its Proxmox host: pct unlock ${vmid} && pct destroy ${vmid}; then build again.`,
  };
}

function containerGone(vmid: number): Failure {
  return {
    code: "container_missing",
    message: `The container ${vmid}, which was to become the template, is gone or not Berth's any more.`,
    hint: "Build again.",
  };
}
