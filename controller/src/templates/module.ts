import type { Clock } from "@berth/base";
import type { ProxmoxClient } from "@berth/proxmox";
import type { FastifyBaseLogger } from "fastify";
import type { Kysely } from "kysely";
import type { FreeIds } from "../cluster/free-ids.ts";
import type { EventLog } from "../events/log.ts";
import type { FleetKeys } from "../fleet/keys.ts";
import { OperationJournal } from "../operations/journal.ts";
import { TaskRunner } from "../sandboxes/tasks.ts";
import { WorkLoop } from "../sandboxes/work-loop.ts";
import type { Database } from "../store/tables.ts";
import { TemplateBuilder } from "./builder.ts";
import { ContentsFinder } from "./contents.ts";
import { BuildEndings } from "./endings.ts";
import { TemplateFinder } from "./finder.ts";
import type { TemplateRow } from "./record.ts";
import { Templates } from "./repository.ts";
import { TemplateService } from "./service.ts";

export interface TemplateModuleDependencies {
  db: Kysely<Database>;
  events: EventLog;
  client: ProxmoxClient;
  freeIds: FreeIds;
  keys: FleetKeys;
  clock: Clock;
  log: FastifyBaseLogger;
  /** The id that the settings name. */
  templateVmids: readonly [number, ...number[]];
  pool: string | undefined;
  storage: string | undefined;
  bridge: string | undefined;
  vlan: number | undefined;
  mayLackParts: boolean;
  /** Where the sshd of Debian's own template listens; unset: 22. */
  sshPort?: number;
  /** What goes into a template; unset: what this controller has. */
  contents?: ContentsFinder;
}

/** All that finds, builds and keeps templates, put together. */
export interface TemplateModule {
  readonly templates: Templates;
  readonly finder: TemplateFinder;
  readonly contents: ContentsFinder;
  readonly service: TemplateService;
  start(): void;
  stop(): Promise<void>;
}

/** Puts the templates' parts together; nothing runs before `start`. */
export function makeTemplateModule(deps: TemplateModuleDependencies): TemplateModule {
  const { db, events, client, keys, clock, log } = deps;
  const stopping = new AbortController();
  const templates = new Templates(db);
  const journal = new OperationJournal({ db, events, clock });
  const finder = new TemplateFinder({ client, keys, templates, vmids: deps.templateVmids, clock });
  const { sshPort = 22, contents = new ContentsFinder() } = deps;
  const tasksUntil = (signal: AbortSignal) =>
    new TaskRunner<TemplateRow>({
      client,
      journal,
      note: (row, task) => templates.change(row, { task: task && JSON.stringify(task) }),
      clock,
      signal,
    });
  const builder = new TemplateBuilder({
    ...deps,
    endings: new BuildEndings({ db, templates, journal, finder, clock, log }),
    templates,
    finder,
    contents,
    sshPort,
    tasksUntil,
    journal,
    signal: stopping.signal,
  });
  const loop = new WorkLoop({ clock, log, due: (now) => templates.due(now), look: (id) => builder.look(id) });
  const wake = (id: string) => loop.wake(id);
  return {
    templates,
    finder,
    contents,
    service: new TemplateService({ clock, wake, interrupt: (id) => builder.interrupt(id) }),
    start: () => loop.start(),
    stop: async () => {
      stopping.abort(new Error("the controller stops"));
      await loop.stop();
    },
  };
}
