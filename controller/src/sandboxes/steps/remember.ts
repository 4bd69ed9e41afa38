import { Superseded } from "../failures.ts";
import type { SandboxRow } from "../record.ts";
import type { ActionDependencies } from "./dependencies.ts";

/**
 * Writes down what is unsaved in a sandbox that is about to be shut down to stay so, for whoever wants it deleted then.
 * As well as it goes: what is not answered in time leaves what was known, and no shutdown waits for more. `thoroughly`:
 * where its agent is not certain, somebody signs in to look, which a sandbox that is to agree to its sleep would see.
 * Throws `Superseded` when something else is wanted by then.
 */
export async function rememberUnsaved(
  { sandboxes, clock, isConnected, lastLook }: ActionDependencies,
  row: SandboxRow,
  thoroughly: boolean,
): Promise<void> {
  if (row.desired === "running" || !isConnected(row.id)) return;
  const work = await lastLook(row, thoroughly);
  const now = await sandboxes.find(row.id);
  if (now?.desired !== row.desired) throw new Superseded();
  if (!work) return;
  const at = new Date(clock.now()).toISOString();
  await sandboxes.change(row, { unsaved_then: JSON.stringify({ work, at }) });
}
