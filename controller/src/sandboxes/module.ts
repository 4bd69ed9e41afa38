import type { Clock } from "@berth/base";
import type { BootstrapKeys } from "@berth/base/node";
import type { Environment } from "@berth/protocol";
import type { ProxmoxClient } from "@berth/proxmox";
import type { FastifyBaseLogger } from "fastify";
import type { Kysely } from "kysely";
import type { AgentRegistry } from "../agents/registry.ts";
import type { FreeIds } from "../cluster/free-ids.ts";
import type { EventLog } from "../events/log.ts";
import type { FleetKeys } from "../fleet/keys.ts";
import { OperationJournal } from "../operations/journal.ts";
import type { Database } from "../store/tables.ts";
import { inTransaction } from "../store/transaction.ts";
import type { TemplateFinder } from "../templates/finder.ts";
import { makeActions } from "./actions.ts";
import { Claims } from "./claims.ts";
import { forgetSandbox } from "./forget.ts";
import { SandboxLookup } from "./lookup.ts";
import { Reconciler } from "./reconciler.ts";
import type { SandboxRow } from "./record.ts";
import { Sandboxes } from "./repository.ts";
import { SandboxService } from "./service.ts";
import { TaskRunner } from "./tasks.ts";
import { FleetWatch } from "./watch.ts";
import { WorkLoop } from "./work-loop.ts";

export interface SandboxModuleDependencies {
  db: Kysely<Database>;
  events: EventLog;
  client: ProxmoxClient;
  freeIds: FreeIds;
  keys: FleetKeys;
  bootstrapKeys(templateId: string | null): BootstrapKeys;
  template: TemplateFinder;
  registry: AgentRegistry;
  clock: Clock;
  log: FastifyBaseLogger;
  pool: string | undefined;
  storage: string | undefined;
  bridge: string | undefined;
  vlan: number | undefined;
  agentUrl(localAddress: string): string;
  environment(row: SandboxRow): Environment;
  authorizedKeys(row: SandboxRow): Promise<string[]>;
}

/** All that makes and keeps sandboxes, put together. */
export interface SandboxModule {
  readonly sandboxes: Sandboxes;
  readonly service: SandboxService;
  readonly lookup: SandboxLookup;
  /** The agent of a sandbox has introduced itself: what waited for it goes on. Never rejects. */
  arrived(sandboxId: string, agentVersion: string): Promise<void>;
  /** The agent of a sandbox is gone. Never rejects. */
  departed(sandboxId: string): Promise<void>;
  start(): void;
  stop(): Promise<void>;
}

/** Puts the sandboxes' parts together; nothing runs before `start`. */
export function makeSandboxModule(deps: SandboxModuleDependencies): SandboxModule {
  const { db, events, client, keys, clock, log } = deps;
  const stopping = new AbortController();
  const isConnected = (sandboxId: string) => deps.registry.get(sandboxId) !== undefined;
  const sandboxes = new Sandboxes({ db, events, isConnected });
  const journal = new OperationJournal({ db, events, clock });
  const claims = new Claims({ db, freeIds: deps.freeIds, sandboxes, clock });
  const tasks = new TaskRunner<SandboxRow>({
    client,
    journal,
    note: (row, task) => sandboxes.change(row, { task: task && JSON.stringify(task) }),
    signal: stopping.signal,
  });
  const actions = makeActions({
    ...deps,
    sandboxes,
    claims,
    tasks,
    journal,
    dropLink: (sandboxId) => deps.registry.drop(sandboxId),
    forget: (row) => forgetSandbox({ events, journal }, row),
  });
  const reconciler = new Reconciler({
    db,
    client,
    keys,
    sandboxes,
    journal,
    claims,
    tasks,
    actions,
    isConnected,
    clock,
    log,
    signal: stopping.signal,
  });
  const loop = new WorkLoop({
    clock,
    log,
    due: (now) => sandboxes.due(now),
    look: (sandboxId) => reconciler.look(sandboxId),
  });
  const wake = (sandboxId: string) => loop.wake(sandboxId);
  const watch = new FleetWatch({ db, client, clock, log, isConnected, wake });
  const tell = async (sandboxId: string, what: (row: SandboxRow) => Promise<void>) => {
    try {
      const row = await sandboxes.find(sandboxId);
      if (row && !stopping.signal.aborted) await what(row);
    } catch (error) {
      if (!stopping.signal.aborted)
        log.warn({ sandboxId, err: error }, "an agent's coming or going could not be written down");
    }
  };
  return {
    sandboxes,
    service: new SandboxService({ sandboxes, journal, clock, wake }),
    lookup: new SandboxLookup(db),
    arrived: (sandboxId, agentVersion) =>
      tell(sandboxId, async (row) => {
        if (row.agent_version !== agentVersion) await sandboxes.change(row, { agent_version: agentVersion });
        else await inTransaction(db, (work) => sandboxes.announce(work, row));
        loop.wake(sandboxId);
      }),
    departed: (sandboxId) => tell(sandboxId, (row) => inTransaction(db, (work) => sandboxes.announce(work, row))),
    start: () => {
      loop.start();
      watch.start();
    },
    stop: async () => {
      stopping.abort(new Error("the controller stops"));
      watch.stop();
      await loop.stop();
    },
  };
}
