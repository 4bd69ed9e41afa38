import type { Clock } from "@berth/base";
import type { BootstrapKeys } from "@berth/base/node";
import type { Environment, Failure, KeptWork, TerminalRecord, UnsavedWork } from "@berth/protocol";
import type { ContainerRef, ProxmoxClient } from "@berth/proxmox";
import type { Kysely } from "kysely";
import type { Placer } from "../../cluster/placer.ts";
import type { FleetKeys } from "../../fleet/keys.ts";
import type { OperationJournal } from "../../operations/journal.ts";
import type { Database } from "../../store/tables.ts";
import type { TemplateFacts, TemplateFinder } from "../../templates/finder.ts";
import type { Claims } from "../claims.ts";
import { StepFailure } from "../failures.ts";
import type { SandboxRow } from "../record.ts";
import type { Sandboxes } from "../repository.ts";
import type { TaskRunner } from "../tasks.ts";

/** What the filling of a workspace tells, and when it has to end. */
export interface FillProgress {
  readonly signal: AbortSignal;
  /** How much is done, from 0 to 1 or null where that is not known, and what is being done. */
  onProgress(fraction: number | null, detail: string): void;
}

/** What the steps work with. */
export interface ActionDependencies {
  db: Kysely<Database>;
  client: ProxmoxClient;
  keys: FleetKeys;
  /** The keys of a fresh clone of a template that Berth has built, or (null) of any other. */
  bootstrapKeys(templateId: string | null): BootstrapKeys;
  template: TemplateFinder;
  sandboxes: Sandboxes;
  claims: Claims;
  tasks: TaskRunner<SandboxRow>;
  journal: OperationJournal;
  pool: string | undefined;
  storage: string | undefined;
  placer: Placer;
  /** The bridge and VLAN of every sandbox; undefined: the template's. */
  bridge: string | undefined;
  vlan: number | undefined;
  /** The controller as a container sees it, given the address by which the controller reached the container. */
  agentUrl(localAddress: string): string;
  /** What every terminal of a sandbox has in its environment: the Claude credential, and what the owner set. */
  environment(row: SandboxRow): Environment;
  /** SSH keys of people who may sign in to a sandbox. */
  authorizedKeys(row: SandboxRow): Promise<string[]>;
  /** Gives a sandbox that runs its name within, the keys of its user, and its environment. */
  handOver(row: SandboxRow): Promise<void>;
  /** Puts into a workspace what it is to have at first. Rejects with `StepFailure`, or with the signal's reason. */
  fillWorkspace(row: SandboxRow, progress: FillProgress): Promise<void>;
  /** Copies the work in a sandbox that is nowhere else; undefined: there is none. */
  keepWork(row: SandboxRow, signal: AbortSignal): Promise<KeptWork | undefined>;
  /**
   * What is unsaved in a sandbox that is about to be shut down, within seconds; undefined: nobody can say. `thoroughly`:
   * by signing in, too, where its agent is not certain. Never rejects.
   */
  lastLook(row: SandboxRow, thoroughly: boolean): Promise<UnsavedWork | undefined>;
  /** Asks a sandbox whether it may sleep now: why not, or undefined. `again`: whether it still agrees. */
  askSleep(row: SandboxRow, again: boolean): Promise<Failure | undefined>;
  /** Whether the sandbox's agent is connected now. */
  isConnected(sandboxId: string): boolean;
  clock: Clock;
  /** The container stopped: whatever link its agent had is dead. */
  dropLink(sandboxId: string): void;
  /** Its disk is what it was at an earlier time. */
  rolledBack(sandboxId: string): Promise<void>;
  /** Writes down the terminals that an adopted sandbox has. May be repeated. */
  restoreTerminals(row: SandboxRow, records: ReadonlyMap<string, TerminalRecord>): Promise<void>;
  /** Aborted when the controller stops. */
  signal: AbortSignal;
  /** Erases the rows of a sandbox that has left nothing behind. */
  forget(row: SandboxRow): Promise<void>;
}

/** What helps where there is no template to clone. */
export const templateHint =
  "Build one on the console's page Template, or name one that is there with BERTH_TEMPLATE_VMID and give the token VM.Clone and VM.Audit on it.";

/** The template, ready to be cloned. Throws a `StepFailure` if it is not. */
export async function readyTemplate(finder: TemplateFinder): Promise<TemplateFacts> {
  const state = await finder.find();
  if (state.kind === "ready") return state.facts;
  const cause =
    state.kind === "missing"
      ? `There is no template ${finder.vmid} that the token may see.`
      : `The template ${finder.vmid} cannot be used: ${state.reason}.`;
  throw new StepFailure(
    {
      code: "template_unusable",
      message: cause,
      hint: templateHint,
    },
    { retry: false },
  );
}

/** The templates that can be cloned now, the newest first. Throws a `StepFailure` if there is none. */
export async function readyTemplates(finder: TemplateFinder): Promise<readonly TemplateFacts[]> {
  const all = await finder.all();
  return all.length > 0 ? all : [await readyTemplate(finder)];
}

/** Where a sandbox's container is. Throws if it has none, which a plan never asks for. */
export function place(row: SandboxRow): ContainerRef {
  if (row.vmid === null || row.node === null) throw new Error(`the sandbox ${row.id} has no container`);
  return { node: row.node, vmid: row.vmid };
}
