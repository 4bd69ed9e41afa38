import type { Operation } from "@berth/protocol";
import type { ProxmoxClient } from "@berth/proxmox";
import type { FaultRule, PctCommand } from "@berth/pve-emulator";
import type { Facts } from "./facts.ts";

/** How it stands with the one sandbox of a world. */
export type Standing = "absent" | "ready" | "stopped";

/** A world with one controller and at most one sandbox. */
export interface FlowWorld {
  create(): Promise<Operation>;
  want(kind: "start" | "stop" | "restart" | "destroy"): Promise<Operation>;
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
  { ...flow("destroy", "ready", "absent"), name: "delete" },
];

function flow(kind: "start" | "stop" | "restart" | "destroy", from: Standing, to: Standing): Flow {
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
  const { sandboxes } = await world.facts();
  const [sandbox] = sandboxes;
  if (!sandbox) {
    if (wanted === "absent") return;
    await succeed(world, await world.create());
    return bring(world, wanted);
  }
  if (sandbox.state === wanted) return;
  const kind = wanted === "absent" ? "destroy" : wanted === "ready" ? "start" : "stop";
  await succeed(world, await world.want(kind));
}

async function succeed(world: FlowWorld, operation: Operation): Promise<void> {
  const { kind, state, error } = await ended(world, operation);
  if (state !== "succeeded") throw new Error(`${kind} ${state}, before anything was amiss: ${JSON.stringify(error)}`);
}
