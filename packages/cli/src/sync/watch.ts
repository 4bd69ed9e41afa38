import { backoffMs } from "@berth/base";
import { fileEvents, type Sandbox } from "@berth/protocol";
import { ChangeBell, type ChangeSource, isFollowed, type SyncReport, watchTree } from "@berth/sync";
import Type from "typebox";
import { Value } from "typebox/value";
import { follow } from "../events/follow.ts";
import { exitCodes } from "../exit-codes.ts";
import { CommandFailed } from "../failure.ts";
import type { Session } from "../session.ts";
import type { FolderSync } from "./run.ts";
import type { SyncWish } from "./wish.ts";

/** How continuous syncing stands. */
export type WatchState =
  | { readonly state: "syncing" }
  | { readonly state: "watching"; readonly report: SyncReport; readonly at: number }
  | { readonly state: "paused"; readonly error: CommandFailed };

/** Several changes at once are one, in milliseconds. */
const debounceMs = 150;
/** What nobody tells of is found by a look, in milliseconds: of a folder beside the workspace more often. */
const lookEveryMs = { told: 60_000, untold: 5_000 } as const;
const retry = { firstMs: 500, maxMs: 5_000 } as const;
/** The controller does not answer its stream of changes: asked again after so long, in milliseconds. */
const listenAgainMs = 1_000;

/**
 * Syncs now, and again whenever the side that is followed changes, until the session's signal aborts: with its reason it
 * rejects. What a new try may mend is waited for; anything else rejects with `CommandFailed`.
 */
export async function watchAndSync(
  session: Session,
  sandbox: Sandbox,
  pair: FolderSync,
  tell: (state: WatchState) => void,
): Promise<never> {
  const { signal } = session;
  const { clock } = session.surroundings;
  const source = await changesOf(session, sandbox, pair);
  const everyMs = isTold(pair.wish) ? lookEveryMs.told : lookEveryMs.untold;
  try {
    for (let failures = 0; ; ) {
      let waitMs: number = everyMs;
      tell({ state: "syncing" });
      try {
        const report = await pair.sync();
        failures = 0;
        tell({ state: "watching", report, at: clock.now() });
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof CommandFailed) || isLasting(error)) throw error;
        waitMs = backoffMs(failures, retry);
        failures += 1;
        tell({ state: "paused", error });
      }
      const waking = new AbortController();
      const until = AbortSignal.any([signal, waking.signal]);
      const slept = clock.sleep(waitMs, until).catch(() => {});
      await (failures > 0 ? slept : Promise.race([source.next(until), slept]));
      waking.abort();
      await clock.sleep(debounceMs, signal);
    }
  } finally {
    source.close();
  }
}

/** What trying again does not mend. */
function isLasting({ exitCode, code }: CommandFailed): boolean {
  if (exitCode === exitCodes.denied || exitCode === exitCodes.notFound) return true;
  return code === "sync_too_much" || code === "sync_not_allowed";
}

/** Whether the controller tells of changes on the followed side, or this machine itself does. */
function isTold({ direction, path }: SyncWish): boolean {
  return direction === "push" || path === undefined;
}

async function changesOf(session: Session, sandbox: Sandbox, { wish, folder }: FolderSync): Promise<ChangeSource> {
  if (wish.direction === "push") {
    const { source, partial } = await watchTree(folder);
    if (partial) session.output.note("Not all of these folders can be watched: some changes are found once a minute.");
    return source;
  }
  const over = new AbortController();
  const bell = new ChangeBell(() => over.abort(new Error("nobody follows any more")));
  if (isTold(wish)) void listen(session, sandbox, bell, AbortSignal.any([session.signal, over.signal]));
  return bell;
}

const changedSchema = Type.Object({ paths: Type.Array(Type.Object({ path: Type.String() })) });

/** Rings at each change that the controller tells of. A stream that is cut is asked for anew, for as long as it takes. */
async function listen(session: Session, sandbox: Sandbox, bell: ChangeBell, signal: AbortSignal): Promise<void> {
  const { clock } = session.surroundings;
  const params = { id: sandbox.id };
  while (!signal.aborted) {
    try {
      const controller = await session.controller();
      // What is cut may be more than this stream: a sync says so.
      const options = { signal, clock, onAway: () => bell.ring() };
      for await (const { event, data } of follow(controller, fileEvents, { params, query: {} }, options)) {
        // Its beginning counts, too: something may have changed before.
        if (event !== "changed" || concerns(data)) bell.ring();
      }
    } catch {
      await clock.sleep(listenAgainMs, signal).catch(() => {});
    }
  }
}

function concerns(data: unknown): boolean {
  return !Value.Check(changedSchema, data) || data.paths.some(({ path }) => isFollowed(path));
}
