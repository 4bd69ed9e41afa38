import { formatPropertyString, isProxmoxError } from "@berth/proxmox";
import { isIdFree, maxIdCandidates } from "../../cluster/free-ids.ts";
import { StepFailure } from "../../sandboxes/failures.ts";
import { findCreation, isCleanedUp } from "../creation.ts";
import { describeTemplate, templateHostname } from "../mark.ts";
import type { TemplateRow } from "../record.ts";
import { type BuildDependencies, type BuildStep, placeOf } from "./dependencies.ts";

/** What a container is built with. A clone gets its own size; only its disk cannot become smaller than this. */
const size = { cores: 2, memoryMiB: 2048, swapMiB: 512, diskGiB: 8 };

/** Gives the build an id: the one that was asked for, or the first free one from the settings' on. */
export const reserve: BuildStep = async (deps, row, operation) => {
  const wanted = row.wanted.vmid;
  const first = wanted ?? deps.finder.vmid;
  const claim = (vmid: number) => deps.templates.change(row, { vmid, asked_at: null });
  if (!(await deps.freeIds.take(first, claim, wanted === undefined ? maxIdCandidates : 1))) {
    throw new StepFailure(
      {
        code: "no_free_vmid",
        message: wanted === undefined ? `No id from ${first} on is free.` : `The id ${wanted} is taken.`,
        hint: wanted === undefined ? "Remove containers that are not needed." : "Build with another id.",
      },
      { retry: false },
    );
  }
  await deps.journal.log(operation, "reserve", "berth", `the template will be ${row.vmid}`);
};

/** Gives up an id that somebody else's container has taken. */
export const release: BuildStep = async (deps, row) => deps.templates.change(row, { vmid: null, asked_at: null });

/**
 * Makes the container. The call takes the id or is refused, so it cannot make two; when its answer was lost, its task
 * is found in the node's list, since what the task says is needed: the container's SSH host keys.
 */
export const create: BuildStep = async (deps, row, operation) => {
  const at = placeOf(row);
  // The time of the first call stays: it is the one whose answer may have been lost.
  if (row.asked_at !== null) {
    const creation = await findCreation(deps.client, row, row.asked_at);
    if (creation && (creation.exitStatus === undefined || !(await isIdFree(deps.client, at.vmid)))) {
      await noteMaking(deps, row, () => deps.tasks.run(row, operation, "create", async () => creation.upid, []));
      return;
    }
  } else {
    await deps.templates.change(row, { asked_at: new Date(deps.clock.now()) });
  }
  const begin = () => deps.client.containers.create(at.node, options(deps, row));
  try {
    await noteMaking(deps, row, () => deps.tasks.run(row, operation, "create", begin, []));
  } catch (error) {
    // Somebody else took the id; the next look sees whose it is.
    if (isProxmoxError(error, "exists")) return await settleExisting(deps, row);
    throw error;
  }
};

/** Writes down how the making of the container ended. */
export async function noteMaking(
  { templates }: BuildDependencies,
  row: TemplateRow,
  making: () => Promise<void>,
): Promise<void> {
  try {
    await making();
    await templates.change(row, { made: true });
  } catch (error) {
    const refused = isProxmoxError(error) && !error.mayHaveActed;
    const undone = isProxmoxError(error, "other") && isCleanedUp(error.failure.detail);
    if (refused || undone) await templates.change(row, { asked_at: null });
    throw error;
  }
}

async function settleExisting(deps: BuildDependencies, row: TemplateRow): Promise<void> {
  const { vmid } = placeOf(row);
  if (row.asked_at && (await findCreation(deps.client, row, row.asked_at)) !== undefined) return;
  await deps.templates.change(row, { vmid: null, asked_at: null });
  if (row.wanted.vmid === undefined) return;
  throw new StepFailure(
    { code: "no_free_vmid", message: `The id ${vmid} is taken.`, hint: "Build with another id." },
    { retry: false },
  );
}

function options(deps: BuildDependencies, row: TemplateRow) {
  const { vmid } = placeOf(row);
  const { archive, storage, bridge } = row;
  if (archive === null || storage === null || bridge === null) throw new Error(`the template ${row.id} has no place`);
  return {
    ...size,
    vmid,
    osTemplate: archive,
    storage,
    hostname: templateHostname,
    description: describeTemplate(deps.keys, {
      id: row.id,
      vmid,
      state: "building",
      version: "",
      skipped: [],
      builtAt: deps.clock.now(),
    }),
    unprivileged: true,
    // What Docker needs; a token may set this one and no other.
    features: "nesting=1",
    net0: formatPropertyString({
      name: "eth0",
      bridge,
      ip: "dhcp",
      ...(deps.vlan === undefined ? {} : { tag: String(deps.vlan) }),
    }),
    sshPublicKeys: [deps.keys.sshClient.publicKey],
    ...(deps.pool === undefined ? {} : { pool: deps.pool }),
  };
}
