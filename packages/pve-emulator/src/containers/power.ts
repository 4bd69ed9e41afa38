import type { Caller } from "../access/caller.ts";
import type { ResourceLimits, StartSettings } from "../backend/backend.ts";
import type { Emulation } from "../emulation.ts";
import { ApiError } from "../http/api-error.ts";
import { splitList } from "../schema/formats.ts";
import { isOn, readPropertyString } from "../schema/property-string.ts";
import type { TaskContext } from "../tasks/task.ts";
import { type ConfigValues, type Container, isTemplate, requireUnlocked } from "./container.ts";
import { applyPending } from "./edit-config.ts";
import { cardsOf, problemOfCards } from "./network-cards.ts";

/** How long a shutdown waits when the caller does not say, in seconds. */
const defaultShutdownSeconds = 60;

/** Starts a container in a task. Only one that runs already is refused at once; the rest fails in the task. */
export async function startStart(emulation: Emulation, vmid: number, caller: Caller): Promise<string> {
  if (emulation.backend.running(vmid)) throw ApiError.died(`CT ${vmid} already running`);
  return emulation.tasks.start({ type: "vzstart", id: String(vmid), caller }, ({ log }) =>
    emulation.store.exclusive(vmid, () => bootContainer(emulation, vmid, log)),
  );
}

/** Boots a container that is stopped, with what was pending. Callers hold the container's exclusive turn. */
export async function bootContainer(emulation: Emulation, vmid: number, log?: (line: string) => void): Promise<void> {
  const { store, backend } = emulation;
  const container = store.require(vmid);
  requireUnlocked(container);
  if (isTemplate(container)) throw new Error("you can't start a CT if it's a template");
  if (backend.running(vmid)) throw new Error(`CT ${vmid} already running`);
  if (applyPending(container)) await store.save(container);
  const { values } = container;
  const cards = cardsOf(values);
  const problem = problemOfCards(values, emulation.site.bridge);
  if (problem !== undefined) throw new Error(`startup for container '${vmid}' failed: ${problem}`);
  try {
    await backend.start(vmid, { ...startSettingsOf(container), cards, ...(log ? { log } : {}) });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`startup for container '${vmid}' failed: ${why}`, { cause });
  }
  emulation.report(`container ${vmid} started`);
}

function startSettingsOf({ vmid, values, lxc }: Container): Omit<StartSettings, "cards"> {
  // `host` stands for the resolvers of the machine, which are what the network hands out anyway.
  const nameservers = splitList(values.nameserver ?? "").filter((address) => address !== "host");
  return {
    hostname: values.hostname ?? `CT${vmid}`,
    limits: limitsOf(values),
    nesting: isOn(readPropertyString(values.features ?? "").nesting),
    rawKeys: lxc,
    nameservers: nameservers.length > 0 ? nameservers : undefined,
    searchDomain: values.searchdomain,
  };
}

/** What a configuration lets a container use. */
export function limitsOf(values: ConfigValues): ResourceLimits {
  return {
    memoryMiB: Number(values.memory ?? 512),
    swapMiB: Number(values.swap ?? 512),
    cores: values.cores === undefined ? undefined : Number(values.cores),
  };
}

/** Kills a container in a task. */
export async function startStop(emulation: Emulation, vmid: number, caller: Caller): Promise<string> {
  requireRunning(emulation, vmid);
  return emulation.tasks.start({ type: "vzstop", id: String(vmid), caller }, async () => {
    const container = emulation.store.require(vmid);
    requireUnlocked(container);
    // No exclusive turn: a stop must also end a shutdown or a start that hangs.
    await emulation.backend.kill(vmid);
    emulation.report(`container ${vmid} stopped`);
  });
}

export interface ShutdownOrder {
  /** Seconds. */
  readonly timeout?: number;
  readonly force?: boolean;
}

/** Shuts a container down in a task. */
export async function startShutdown(
  emulation: Emulation,
  vmid: number,
  order: ShutdownOrder,
  caller: Caller,
): Promise<string> {
  requireRunning(emulation, vmid);
  return emulation.tasks.start({ type: "vzshutdown", id: String(vmid), caller }, async (context) => {
    requireUnlocked(emulation.store.require(vmid));
    await shutDown(emulation, vmid, order, context);
    emulation.report(`container ${vmid} shut down`);
  });
}

/** Shuts a container down and boots it again, in a task. */
export async function startReboot(
  emulation: Emulation,
  vmid: number,
  timeout: number | undefined,
  caller: Caller,
): Promise<string> {
  // PVE speaks of a VM here.
  if (!emulation.backend.running(vmid)) throw ApiError.died(`VM ${vmid} not running`);
  return emulation.tasks.start({ type: "vzreboot", id: String(vmid), caller }, (context) =>
    emulation.store.exclusive(vmid, async () => {
      requireUnlocked(emulation.store.require(vmid));
      await shutDown(emulation, vmid, timeout === undefined ? {} : { timeout }, context);
      await bootContainer(emulation, vmid, context.log);
    }),
  );
}

/** Freezing needs cgroups or CRIU, which no backend has yet: the task says so. */
export async function startSuspend(emulation: Emulation, vmid: number, caller: Caller): Promise<string> {
  requireRunning(emulation, vmid);
  return emulation.tasks.start({ type: "vzsuspend", id: String(vmid), caller }, async () => {
    throw new Error(`suspending CT ${vmid} failed: this Proxmox cannot checkpoint containers`);
  });
}

/** Boots again a container that was rebooted from the inside. */
export async function rebootFromInside(emulation: Emulation, vmid: number): Promise<void> {
  await emulation.store.exclusive(vmid, async () => {
    if (!emulation.store.find(vmid) || emulation.backend.running(vmid)) return;
    await bootContainer(emulation, vmid);
  });
}

/** Shuts a container down within a task; kills it only where the order says so. */
export async function shutDown(
  { backend }: Emulation,
  vmid: number,
  order: ShutdownOrder,
  { log, signal }: TaskContext,
): Promise<void> {
  const seconds = order.timeout ?? defaultShutdownSeconds;
  if (await backend.shutdown(vmid, seconds * 1000, signal)) return;
  if (signal.aborted) throw signal.reason;
  if (!order.force) throw new Error("container did not stop");
  log("container did not stop in time, killing it");
  await backend.kill(vmid);
}

function requireRunning({ backend }: Emulation, vmid: number): void {
  if (!backend.running(vmid)) throw ApiError.died(`CT ${vmid} not running`);
}
