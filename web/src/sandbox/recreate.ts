import { type Client, createSandbox, deleteSandbox, getOperation, type Operation, type Sandbox } from "@berth/protocol";
import { isOver } from "../operation/operation-feed.ts";

/** Milliseconds between two looks at the deletion. */
const lookAgainMs = 500;

/** Deletes a sandbox that could not be made, or is gone, and makes one of the same name and settings. */
export async function recreate(
  api: Client,
  sandbox: Sandbox,
  onDeleting: (operation: Operation) => void,
): Promise<{ sandbox: Sandbox; operation: Operation }> {
  const { operation } = await api.call(deleteSandbox, { params: { id: sandbox.id } });
  onDeleting(operation);
  let deletion = operation;
  while (!isOver(deletion)) {
    await new Promise((resolve) => setTimeout(resolve, lookAgainMs));
    deletion = await api.call(getOperation, { params: { id: operation.id } });
  }
  if (deletion.state !== "succeeded") throw new Error(deletion.error?.message ?? "The old one could not be deleted.");
  const { name, cores, memoryMiB, diskGiB, workspace, vlan, sleepAfterMinutes } = sandbox;
  const body = { name, cores, memoryMiB, diskGiB, workspace, sleepAfterMinutes, ...(vlan === null ? {} : { vlan }) };
  // The key names the one that is replaced: pressed in two tabs, there is still one new sandbox.
  return api.call(createSandbox, { body }, { idempotencyKey: `recreate-${sandbox.id}` });
}
