import type { OperationRow } from "../../operations/record.ts";
import { Superseded } from "../failures.ts";
import type { SandboxRow } from "../record.ts";
import type { ActionDependencies } from "./dependencies.ts";

/** How often progress is written down, and how soon a filling ends that is not wanted any more. */
const beatMs = 1_000;

/** Puts into the workspace what it is to have at first. Throws `Superseded` when something else is wanted meanwhile. */
export async function fillWorkspace(deps: ActionDependencies, row: SandboxRow, operation: OperationRow): Promise<void> {
  const { journal } = deps;
  let told: { fraction: number | null; detail: string } | undefined;
  const beat = async () => {
    if (await journal.hasEnded(operation)) throw new Superseded();
    if (told) await journal.step(operation, "workspace", told.detail, told.fraction);
  };
  await whileBeating(deps, beat, (signal) =>
    deps.fillWorkspace(row, {
      signal,
      onProgress: (fraction, detail) => {
        told = { fraction, detail };
      },
    }),
  );
  await deps.sandboxes.change(row, { workspace_filled: true });
  await journal.log(operation, "workspace", "berth", "the workspace is filled");
}

/**
 * Copies the work that is nowhere else, before it is destroyed. Whoever destroys it has been told, so what cannot be copied
 * keeps nobody from it.
 */
export async function keepWork(deps: ActionDependencies, row: SandboxRow, operation: OperationRow): Promise<void> {
  const { journal } = deps;
  try {
    const kept = await deps.keepWork(row, deps.signal);
    if (kept) {
      const parts = kept.parts.map(({ part, bytes }) => `${part} (${bytes} bytes)`).join(", ");
      await journal.log(
        operation,
        "keep",
        "berth",
        `kept until ${kept.expiresAt} as ${kept.id}: ${parts || "nothing"}`,
      );
    }
    if (kept?.missing) await journal.log(operation, "keep", "berth", `could not be kept: ${kept.missing}`);
  } catch (error) {
    deps.signal.throwIfAborted();
    const reason = error instanceof Error ? error.message : "unknown error";
    await journal.log(operation, "keep", "berth", `its unsaved work could not be kept: ${reason}`);
  }
  await deps.sandboxes.change(row, { keep_wanted: false });
}

/** Works until the controller stops or a beat throws, which is what this then rejects with. */
async function whileBeating(
  { clock, signal }: ActionDependencies,
  beat: () => Promise<void>,
  work: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const over = new AbortController();
  const given = new AbortController();
  const beating = (async () => {
    while (!over.signal.aborted) {
      await clock.sleep(beatMs, over.signal).catch(() => {});
      if (!over.signal.aborted) await beat();
    }
  })().catch((error: unknown) => given.abort(error));
  try {
    await work(AbortSignal.any([signal, given.signal]));
  } finally {
    over.abort();
    await beating;
  }
}
