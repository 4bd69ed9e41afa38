import type { Clock } from "@berth/base";
import type { Idle } from "@berth/protocol";
import type { FastifyBaseLogger } from "fastify";
import type { Kysely } from "kysely";
import type { AgentRegistry } from "../agents/registry.ts";
import type { EventLog } from "../events/log.ts";
import type { SandboxModule, SleepKnowledge } from "../sandboxes/module.ts";
import { notIdle } from "../sandboxes/record.ts";
import type { Database } from "../store/tables.ts";
import { Activities } from "./activities.ts";
import { askConsent, type ConsentDependencies } from "./consent.ts";
import { Sleeper } from "./sleeper.ts";
import { type AwaitReady, type Sleepers, Waking } from "./waking.ts";

/** What is known of the use of sandboxes: their own work needs it, and what acts on it needs that work. */
export interface KnownUse extends SleepKnowledge {
  readonly activities: Activities;
  /** How it stands with the sleep of each that was found ready, as it is told. */
  readonly told: Map<string, Idle>;
}

/** Knows nothing yet. */
export function knowUse(deps: Omit<ConsentDependencies, "activities">): KnownUse {
  const activities = new Activities(deps.clock);
  const told = new Map<string, Idle>();
  return {
    activities,
    told,
    ask: (row, again) => askConsent({ ...deps, activities }, row, again),
    idle: (sandboxId) => told.get(sandboxId) ?? notIdle,
  };
}

export interface SleepModuleDependencies {
  db: Kysely<Database>;
  events: EventLog;
  registry: Pick<AgentRegistry, "isConnected">;
  clock: Clock;
  log: FastifyBaseLogger;
  /** The fleet's time without use, in milliseconds; undefined: none sleeps by itself. */
  sleepAfterMs: number | undefined;
  use: KnownUse;
  fleet: Pick<SandboxModule, "sandboxes" | "service">;
}

/** What puts sandboxes to sleep and wakes them, put together. */
export interface SleepModule {
  readonly awaitReady: AwaitReady;
  readonly sleepers: Sleepers;
  start(): void;
  stop(): void;
}

/** Puts the parts together; nothing runs before `start`. */
export function makeSleepModule({ use, fleet, registry, ...deps }: SleepModuleDependencies): SleepModule {
  const { activities, told } = use;
  const { sandboxes, service } = fleet;
  const common = { ...deps, activities, sandboxes, service };
  const sleeper = new Sleeper({ ...common, told, isConnected: (sandboxId) => registry.isConnected(sandboxId) });
  const waking = new Waking(common);
  return {
    awaitReady: (sandboxId, options) => waking.awaitReady(sandboxId, options),
    sleepers: waking,
    start: () => sleeper.start(),
    stop: () => sleeper.stop(),
  };
}
