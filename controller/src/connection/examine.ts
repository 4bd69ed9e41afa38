import { type Clock, Scope } from "@berth/base";
import type { DoctorCheck, Examination, Proposal } from "@berth/protocol";
import { isProxmoxError } from "@berth/proxmox";
import { connectProxmox } from "../cluster/connection.ts";
import { checkAddresses } from "../doctor/addresses.ts";
import { fine, troubled } from "../doctor/check.ts";
import { checkCluster } from "../doctor/cluster.ts";
import type { FleetKeys } from "../fleet/keys.ts";
import type { ProxmoxAccess, Settings } from "../settings/settings.ts";
import type { ContentsFinder } from "../templates/contents.ts";
import { TemplateFinder } from "../templates/finder.ts";
import type { Templates } from "../templates/repository.ts";
import { findChoices, noChoices } from "./choices.ts";
import { withConnection } from "./kept.ts";
import { isUsable } from "./usable.ts";

export interface ExaminerDependencies {
  readonly clock: Clock;
  readonly keys: FleetKeys;
  readonly templates: Templates;
  readonly contents: ContentsFinder;
  /** Those of the environment. */
  readonly settings: Settings;
}

/** Somebody waits for the whole of it, and the far side may be anything. */
const limits = {
  headersTimeoutMs: 10_000,
  bodyTimeoutMs: 10_000,
  maxBodyBytes: 4 * 1024 * 1024,
  getRetries: 0,
} as const;
const templateCure =
  "It is built in the step after this one. One that you have made yourself may be outside of the pool: then the token needs VM.Audit and VM.Clone on it.";
/** What one check says at most, in characters, and how many are told: the names in them are the far side's. */
const maxText = 2_000;
const maxChecks = 400;

/** Tries a connection that somebody proposes. Saves nothing, changes nothing there, and never throws for what it finds. */
export async function examine(proposal: Proposal, deps: ExaminerDependencies): Promise<Examination> {
  const settings = withConnection(deps.settings, proposal);
  const access = settings.proxmox;
  if (!access) throw new Error("a proposal names a Proxmox");
  const scope = new Scope();
  try {
    const client = scope.own(connectProxmox(access, deps.clock, () => {}, limits));
    const { pool, storage, bridge, vlan, size } = settings;
    const finder = new TemplateFinder({
      ...{ client, keys: deps.keys, clock: deps.clock, vmids: settings.templateVmids },
      // What is found there is written down once it is used.
      templates: { all: () => deps.templates.all(), adopt: async () => {} },
    });
    const patient = { client, access, finder, contents: deps.contents, pool, storage, bridge, vlan };
    const choices = findChoices(client);
    const [addresses, cluster] = await Promise.all([
      checkAddresses(access, deps.clock),
      checkCluster({ ...patient, diskGiB: size.diskGiB }, async () => [checkPool(pool, (await choices).pools)]),
    ]);
    return presented([...addresses, ...cluster], await choices, access);
  } catch (error) {
    // Settings that cannot work, such as a port that is none.
    if (!isProxmoxError(error)) throw error;
    const subject = { id: "proxmox", title: "Proxmox" };
    return presented([troubled(subject, "failed", error.message, error.hint)], noChoices, access);
  } finally {
    await scope.dispose();
  }
}

/** A pool that is not there looks to the privileges like one that may be used. */
function checkPool(pool: string | undefined, pools: readonly string[]): DoctorCheck {
  const subject = { id: "pool", title: "Pool" };
  if (pool === undefined) {
    const detail = "None: the token needs its privileges on all containers (/vms).";
    return troubled(subject, "warning", detail, "Name a pool, and Berth can touch nothing else.");
  }
  if (pools.includes(pool)) return fine(subject, `${pool} is there.`);
  const detail = `The token sees no pool ${pool}: there is none, or it lacks Pool.Audit on it.`;
  return troubled(subject, "warning", detail, `pveum pool add ${pool}`);
}

function presented(
  checks: readonly DoctorCheck[],
  choices: Pick<Examination, "pools" | "storages" | "bridges">,
  { tokenSecret }: ProxmoxAccess,
): Examination {
  const told = withoutStrayNeeds(checks)
    .slice(0, maxChecks)
    .map((check) => checkForSetUp(check, tokenSecret));
  const grants = new Set(
    told
      .filter(({ id, state }) => state !== "ok" && (id === "pool" || id.startsWith("privilege:")))
      .flatMap(({ fix }) => fix?.split("\n") ?? [])
      .filter((line) => line.startsWith("pveum ")),
  );
  return {
    checks: told,
    usable: isUsable(told),
    ...choices,
    grants: grants.size === 0 ? null : [...grants].join("\n"),
  };
}

/** What a template needs that is not there, or cannot be seen, is said with that. */
function withoutStrayNeeds(checks: readonly DoctorCheck[]): readonly DoctorCheck[] {
  if (checks.every(({ id, state }) => id !== "template" || state === "ok")) return checks;
  return checks.filter(({ id, state }) => !(state === "warning" && /^privilege:\/vms\/\d+:/.test(id)));
}

/** A template is built after the set-up; and a server that repeats what it was sent tells nobody the secret. */
function checkForSetUp(check: DoctorCheck, secret: string): DoctorCheck {
  const text = (words: string) => words.slice(0, maxText).replaceAll(secret, "…");
  const { id, title, state, detail, fix } = check;
  const told = { id: text(id), title: text(title), state, detail: text(detail), fix: fix === null ? null : text(fix) };
  if (id !== "template" || state !== "failed") return told;
  return { ...told, state: "warning", fix: templateCure };
}
