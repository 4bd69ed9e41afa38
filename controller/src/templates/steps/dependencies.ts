import type { Clock } from "@berth/base";
import type { ContainerRef, ProxmoxClient } from "@berth/proxmox";
import type { FreeIds } from "../../cluster/free-ids.ts";
import type { FleetKeys } from "../../fleet/keys.ts";
import type { OperationJournal } from "../../operations/journal.ts";
import type { OperationRow } from "../../operations/record.ts";
import type { TaskRunner } from "../../sandboxes/tasks.ts";
import type { ContentsFinder } from "../contents.ts";
import type { TemplateFinder } from "../finder.ts";
import type { TemplateRow } from "../record.ts";
import type { Templates } from "../repository.ts";

/** What the steps of a build work with. */
export interface BuildDependencies {
  client: ProxmoxClient;
  freeIds: FreeIds;
  keys: FleetKeys;
  templates: Templates;
  finder: TemplateFinder;
  contents: ContentsFinder;
  tasks: TaskRunner<TemplateRow>;
  journal: OperationJournal;
  clock: Clock;
  /** Aborted when the controller stops. */
  signal: AbortSignal;
  pool: string | undefined;
  storage: string | undefined;
  bridge: string | undefined;
  vlan: number | undefined;
  /** Where the sshd of a build's container listens. */
  sshPort: number;
  /** Parts that need the internet may be missing: the Proxmox is the bundled one. */
  mayLackParts: boolean;
}

/** One step of a build: it may be repeated after a kill at any line. */
export type BuildStep = (
  deps: BuildDependencies,
  row: TemplateRow,
  operation: OperationRow,
  signal: AbortSignal,
) => Promise<void>;

/** Where a build's container is. Throws if it has none, which a plan never asks for. */
export function placeOf(row: TemplateRow): ContainerRef {
  if (row.vmid === null || row.node === null) throw new Error(`the template ${row.id} has no container`);
  return { node: row.node, vmid: row.vmid };
}
