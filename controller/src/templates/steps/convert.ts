import type { StepName } from "@berth/protocol";
import { isProxmoxError } from "@berth/proxmox";
import type { OperationRow } from "../../operations/record.ts";
import { describeTemplate, templateTag } from "../mark.ts";
import type { TemplateRow } from "../record.ts";
import { type BuildDependencies, type BuildStep, placeOf } from "./dependencies.ts";

/** Marks the stopped container as this fleet's template, and has Proxmox make it one. */
export const convert: BuildStep = async (deps, row, operation) => {
  const at = placeOf(row);
  const builtAt = row.built_at ?? new Date(deps.clock.now());
  await deps.templates.change(row, { built_at: builtAt });
  const { digest } = await deps.client.containers.config(at);
  await deps.client.containers.configure(at, {
    digest,
    tags: [templateTag],
    description: describeTemplate(deps.keys, {
      id: row.id,
      vmid: at.vmid,
      state: "ready",
      version: row.version ?? "",
      skipped: row.skipped ?? [],
      builtAt: builtAt.getTime(),
    }),
  });
  await unlessConverted(deps.client.containers.toTemplate(at));
  await converted(deps, row, operation, "convert");
};

/** Waits until Proxmox has turned its disk into one that clones share; the call answers before that. */
export async function converted(
  { client, tasks }: Pick<BuildDependencies, "client" | "tasks">,
  row: TemplateRow,
  operation: OperationRow,
  step: StepName,
): Promise<void> {
  const { node, vmid } = placeOf(row);
  const listed = await client.tasks.list(node, { vmid, type: "vztemplate", source: "all" });
  const [newest] = listed.toSorted((a, b) => b.startedAtSeconds - a.startedAtSeconds);
  if (newest === undefined || newest.exitStatus === "OK") return;
  await unlessConverted(tasks.run(row, operation, step, async () => newest.upid, []));
}

/** The same without the refusal of a call that was made twice: the first one has done it. */
export async function unlessConverted(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    const isDone = isProxmoxError(error, "other") && /convert a template to a template/.test(error.failure.detail);
    if (!isDone) throw error;
  }
}
