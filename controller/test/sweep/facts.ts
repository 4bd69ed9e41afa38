import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { readTextIfExists } from "@berth/base/node";
import { parseJson } from "@berth/protocol";
import type { ProxmoxClient } from "@berth/proxmox";
import type { Kysely } from "kysely";
import Type from "typebox";
import { Value } from "typebox/value";
import type { SandboxRow } from "../../src/sandboxes/record.ts";
import type { Database } from "../../src/store/tables.ts";
import { templateVmid } from "./world/places.ts";

const configSchema = Type.Object({
  values: Type.Record(Type.String(), Type.String()),
  snapshots: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
});

/** A container as Proxmox keeps it, whoever may see it. */
export interface ContainerFacts {
  readonly vmid: number;
  readonly lock: string | undefined;
  readonly cores: number;
  readonly snapshots: readonly string[];
  /** Its configuration. */
  readonly values: Readonly<Record<string, string>>;
  /** Undefined: the controller's token may not see it. */
  readonly running: boolean | undefined;
}

/** A template as Proxmox keeps it. */
export interface TemplateFacts {
  readonly vmid: number;
  /** Its configuration, its lock included. */
  readonly values: Readonly<Record<string, string>>;
}

/** All there is in the database and in Proxmox that a flow may change. */
export interface Facts {
  readonly sandboxes: readonly SandboxRow[];
  readonly claims: readonly { vmid: number; sandbox_id: string; state: string; asked: boolean }[];
  /** Operations that have not ended. */
  readonly underWay: readonly { kind: string; state: string }[];
  readonly containers: readonly ContainerFacts[];
  /** The container that sandboxes are cloned from as long as no other was built. */
  readonly template: TemplateFacts | undefined;
  /** Templates that were built since, whole or not. */
  readonly built: readonly TemplateFacts[];
  /** What the database knows of them, and of builds that are under way. */
  readonly builds: readonly { vmid: number | null; state: string }[];
  /** Types of tasks that run. */
  readonly runningTasks: readonly string[];
}

export interface FactSources {
  readonly db: Kysely<Database>;
  readonly client: ProxmoxClient;
  /** The emulator's data folder. */
  readonly proxmoxDir: string;
  /** Wraps what is asked of the database. */
  during<T>(work: () => Promise<T>): Promise<T>;
}

export async function gatherFacts({ db, client, proxmoxDir, during }: FactSources): Promise<Facts> {
  const [sandboxes, claims, underWay, builds] = await during(() =>
    Promise.all([
      db.selectFrom("sandboxes").selectAll().execute(),
      db.selectFrom("claims").select(["vmid", "sandbox_id", "state", "asked"]).execute(),
      db.selectFrom("operations").select(["kind", "state"]).where("finished_at", "is", null).execute(),
      db.selectFrom("templates").select(["vmid", "state"]).execute(),
    ]),
  );
  const seen = new Map((await client.cluster.containers()).map((one) => [one.vmid, one.status === "running"]));
  const folder = join(proxmoxDir, "containers");
  const found = await Promise.all((await readdir(folder)).map((name) => configOf(folder, Number(name))));
  const all = found.flatMap((one) => (one ? { ...one, running: seen.get(one.vmid) } : []));
  const templates = all.filter(({ values }) => values.template === "1").map(({ vmid, values }) => ({ vmid, values }));
  const { node = "pve" } = (await client.cluster.nodes())[0] ?? {};
  const running = await client.tasks.list(node, { source: "active" });
  return {
    sandboxes,
    claims,
    underWay,
    builds,
    containers: all.filter(({ values }) => values.template !== "1"),
    template: templates.find(({ vmid }) => vmid === templateVmid),
    built: templates.filter(({ vmid }) => vmid !== templateVmid),
    runningTasks: running.map(({ type }) => type),
  };
}

/** Undefined of one that is being removed. */
async function configOf(folder: string, vmid: number): Promise<Omit<ContainerFacts, "running"> | undefined> {
  const text = await readTextIfExists(join(folder, String(vmid), "config.json"));
  if (text === undefined) return undefined;
  const { values, snapshots = {} } = Value.Parse(configSchema, parseJson(text));
  return { vmid, lock: values.lock, cores: Number(values.cores), values, snapshots: Object.keys(snapshots) };
}
