import { isProxmoxError } from "@berth/proxmox";
import { describeTemplate, templateTag } from "../mark.ts";
import type { TemplateRow } from "../record.ts";
import { type BuildDependencies, type BuildStep, placeOf } from "./dependencies.ts";

/** Marks the stopped container as this fleet's template, and has Proxmox make it one. */
export const convert: BuildStep = async (deps, row) => {
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
  try {
    await deps.client.containers.toTemplate(at);
  } catch (error) {
    if (!isConverted(error)) throw error;
  }
  await converted(deps, row);
};

/** Waits until Proxmox has turned its disk into one that clones share; the call answers before that. */
export async function converted(
  { client, signal }: Pick<BuildDependencies, "client" | "signal">,
  row: TemplateRow,
): Promise<void> {
  const { node, vmid } = placeOf(row);
  const listed = await client.tasks.list(node, { vmid, type: "vztemplate", source: "all" });
  const [newest] = listed.toSorted((a, b) => b.startedAtSeconds - a.startedAtSeconds);
  const result = newest && (await client.tasks.wait(newest.upid, { signal }));
  if (result?.error && !isConverted(result.error)) throw result.error;
}

/** A call that was made twice: the first one has done it. */
function isConverted(error: unknown): boolean {
  return isProxmoxError(error, "other") && /convert a template to a template/.test(error.failure.detail);
}
