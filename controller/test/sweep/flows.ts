import type { DiskOperationKind, Operation, PowerOperationKind } from "@berth/protocol";
import type { ProxmoxClient } from "@berth/proxmox";
import type { FaultRule, PctCommand } from "@berth/pve-emulator";
import { poolOwnerId } from "../../src/pool/owner.ts";
import type { SandboxRow } from "../../src/sandboxes/record.ts";
import type { Facts } from "./facts.ts";

/**
 * How it stands with the one sandbox of a world; `kept`: it is ready and has a snapshot; `copied`: it is ready, and a
 * copy of it is; `orphaned`: its container runs, and the database knows nothing of it; `pooled`: there is none, and one
 * waits in the warm pool; `rebuilt`: it is ready, and there is another template than the one that it was cloned from.
 */
export type Standing =
  | "rebuilt"
  | "absent"
  | "ready"
  | "stopped"
  | "asleep"
  | "kept"
  | "copied"
  | "orphaned"
  | "pooled";

/** The name of the snapshot in a world that is `kept`. */
export const keptSnapshot = "kept";

/** A world with one controller, at most one sandbox, and at most one copy of that. */
export interface FlowWorld {
  create(): Promise<Operation>;
  want(kind: PowerOperationKind): Promise<Operation>;
  /** Asks for something to be done with the copy. */
  wantOfCopy(kind: PowerOperationKind): Promise<Operation>;
  /** Asks for work on the snapshot of `keptSnapshot`. */
  wantOfDisk(kind: DiskOperationKind): Promise<Operation>;
  /** Asks for a copy of the sandbox. */
  fork(): Promise<Operation>;
  /** Has the database know nothing of the sandbox, and another controller find it so. */
  orphan(): Promise<void>;
  /** Asks for the one container that no sandbox has. */
  adopt(): Promise<Operation>;
  /** Says how many there are to be in the warm pool, and waits until it is so. */
  keepPool(size: 0 | 1): Promise<void>;
  /** Wants one in the warm pool; answers what is done for that, the last of it that has not failed. */
  refill(): Promise<Operation>;
  /** Asks for a sandbox while one waits in the warm pool, and for no more of those; throws if it gets another one. */
  take(): Promise<Operation>;
  /** Asks for other settings than the sandbox has: another number of cores, and a larger disk. */
  change(): Promise<Operation>;
  /** Asks for another template. */
  buildTemplate(): Promise<Operation>;
  /** Takes every template away that was built, as root does on the host, and has the controller know nothing of them. */
  forgetTemplates(): Promise<void>;
  operation(id: string): Promise<Operation>;
  facts(): Promise<Facts>;
  /** Repeats a check until it answers something; throws when that takes too long. */
  until<T>(what: string, check: () => Promise<T | undefined>): Promise<T>;
}

/** A world whose Proxmox can be made to fail. */
export interface FaultyWorld extends FlowWorld {
  /** Asks Proxmox as the controller's token, for the test. */
  readonly client: ProxmoxClient;
  readonly faults: {
    add(rule: FaultRule): Promise<void>;
    clear(): Promise<void>;
  };
  /** How many sandboxes were ever begun to be made. */
  sandboxesBegun(): Promise<number>;
  /** Does what root does on the host. */
  pct(command: PctCommand): Promise<void>;
  sleep(ms: number): Promise<void>;
  /** Asserts what this world alone can see of a container that should be there. */
  expectIntact(facts: Facts): void;
}

/** A piece of work that must come to its end whatever befalls it. Add one here, and every sweep includes it. */
export interface Flow {
  readonly name: string;
  readonly from: Standing;
  readonly to: Standing;
  begin(world: FlowWorld): Promise<Operation>;
  /** Wishes again for what the flow wishes for, after it failed. */
  again(world: FlowWorld): Promise<Operation>;
  /** The wish itself asks Proxmox first: a call that is held, or a kill, may befall that, and there is no operation yet. */
  readonly asksAtOnce?: true;
  /** What it has no business with, and is the same afterwards. */
  untouched?(facts: Facts): unknown;
  /** It is long, and all of its own: of what looks alike to who goes on after it, one of each kind is enough. */
  readonly sparse?: true;
  /** It makes a container of Debian, which needs a Proxmox that has root file systems. */
  readonly fromDebian?: true;
  /** Whether what failed came to its end by itself, so that to wish again would be refused. */
  isDone?(facts: Facts): boolean;
}

export const flows: readonly Flow[] = [
  {
    name: "create",
    from: "absent",
    to: "ready",
    begin: (world) => world.create(),
    again: (world) => world.want("start"),
  },
  flow("stop", "ready", "stopped"),
  flow("start", "stopped", "ready"),
  flow("restart", "ready", "ready"),
  flow("sleep", "ready", "asleep"),
  flow("wake", "asleep", "ready"),
  { ...flow("destroy", "ready", "absent"), name: "delete" },
  { name: "change", from: "ready", to: "ready", begin: (world) => world.change(), again: (world) => world.change() },
  { ...diskFlow("snapshot", "ready", "kept"), asksAtOnce: true },
  { ...diskFlow("rollback", "kept", "kept"), asksAtOnce: true },
  { ...diskFlow("delete_snapshot", "kept", "ready"), asksAtOnce: true },
  {
    name: "fork",
    from: "ready",
    to: "copied",
    begin: (world) => world.fork(),
    again: (world) => world.wantOfCopy("start"),
  },
  {
    name: "adopt",
    from: "orphaned",
    to: "ready",
    asksAtOnce: true,
    begin: (world) => world.adopt(),
    again: (world) => world.want("start"),
  },
  {
    name: "refill",
    from: "absent",
    to: "pooled",
    begin: (world) => world.refill(),
    again: (world) => world.refill(),
    isDone: ({ sandboxes }) => sandboxes.length === 1 && sandboxes.every(({ state }) => state === "ready"),
  },
  {
    name: "take",
    from: "pooled",
    to: "ready",
    begin: (world) => world.take(),
    again: (world) => world.want("start"),
  },
  {
    name: "template_build",
    from: "ready",
    to: "rebuilt",
    fromDebian: true,
    sparse: true,
    begin: (world) => world.buildTemplate(),
    again: (world) => world.buildTemplate(),
    untouched: ({ template, sandboxes, containers }) => ({
      template,
      sandboxes: sandboxes.map(({ id, vmid, template_vmid, state, agent_secret_hash }) => ({
        ...{ id, vmid, template_vmid, state, agent_secret_hash },
      })),
      containers: containers.filter(({ vmid }) => sandboxes.some((sandbox) => sandbox.vmid === vmid)),
    }),
  },
];

function diskFlow(kind: DiskOperationKind, from: Standing, to: Standing): Flow {
  const begin = (world: FlowWorld) => world.wantOfDisk(kind);
  const isDone = ({ sandboxes, containers }: Facts) =>
    from !== to &&
    sandboxes.every(({ disk_work, state }) => disk_work === null && state === "ready") &&
    containers.every(({ snapshots }) => snapshots.includes(keptSnapshot) === (to === "kept"));
  return { name: kind, from, to, begin, again: begin, isDone };
}

function flow(kind: PowerOperationKind, from: Standing, to: Standing): Flow {
  const begin = (world: FlowWorld) => world.want(kind);
  return { name: kind, from, to, begin, again: begin };
}

/** The operation once it has ended. */
export function ended(world: FlowWorld, { id, kind }: Operation): Promise<Operation> {
  return world.until(`the end of the ${kind}`, async () => {
    const operation = await world.operation(id);
    return operation.finishedAt === null ? undefined : operation;
  });
}

/** Brings a world to where a flow begins. */
export async function bring(world: FlowWorld, wanted: Standing): Promise<void> {
  if ((await world.facts()).builds.length > 0) await world.forgetTemplates();
  if (wanted === "pooled") {
    if ((await world.facts()).sandboxes.some(isOwned)) await bring(world, "absent");
    return world.keepPool(1);
  }
  const { sandboxes, containers } = await world.facts();
  if (!sandboxes.every(isOwned)) {
    await world.keepPool(0);
    return bring(world, wanted);
  }
  const sandbox = sandboxes.find(({ source }) => source === null);
  if (sandboxes.length > 1) {
    if (wanted === "copied") return;
    await succeed(world, await world.wantOfCopy("destroy"));
    return bring(world, wanted);
  }
  const isKept = containers.some(({ snapshots }) => snapshots.includes(keptSnapshot));
  if (isKept && wanted !== "kept" && wanted !== "absent") {
    await succeed(world, await world.wantOfDisk("delete_snapshot"));
    return bring(world, wanted);
  }
  if (!sandbox && containers.length > 0) {
    if (wanted === "orphaned") return;
    await succeed(world, await world.adopt());
    return bring(world, wanted);
  }
  if (wanted === "orphaned") {
    await bring(world, "ready");
    return world.orphan();
  }
  if (!sandbox) {
    if (wanted === "absent") return;
    await succeed(world, await world.create());
    return bring(world, wanted);
  }
  if (wanted === "kept" || wanted === "copied") {
    if (sandbox.state !== "ready") {
      await bring(world, "ready");
      return bring(world, wanted);
    }
    if (isKept) return;
    await succeed(world, await (wanted === "kept" ? world.wantOfDisk("snapshot") : world.fork()));
    return;
  }
  if (wanted === "rebuilt") {
    await bring(world, "ready");
    return succeed(world, await world.buildTemplate());
  }
  if (sandbox.state === wanted) return;
  // Only what runs can be put to sleep.
  if (wanted === "asleep") await bring(world, "ready");
  await succeed(world, await world.want(wayTo[wanted]));
}

const wayTo = { absent: "destroy", ready: "start", stopped: "stop", asleep: "sleep" } as const;

/** Whether it is somebody's, and not of the warm pool. */
export function isOwned({ owner_id }: SandboxRow): boolean {
  return owner_id !== poolOwnerId;
}

async function succeed(world: FlowWorld, operation: Operation): Promise<void> {
  const { kind, state, error } = await ended(world, operation);
  if (state !== "succeeded") throw new Error(`${kind} ${state}, before anything was amiss: ${JSON.stringify(error)}`);
}
