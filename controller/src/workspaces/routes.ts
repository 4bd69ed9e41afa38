import {
  BerthError,
  deleteContinuousSync,
  getSync,
  listSyncBackupFiles,
  listSyncBackups,
  listSyncChanges,
  putContinuousSync,
  resolveSync,
  restoreSyncBackup,
  startSync,
} from "@berth/protocol";
import { backupId, isInside, rawPathBytes } from "@berth/sync";
import type { Api } from "../http/api.ts";
import type { UnitOfWork } from "../http/context.ts";
import { goneOf } from "../http/gone.ts";
import { type MountedInput, mount, mountTransactional } from "../http/mount.ts";
import { pageLimit } from "../http/page.ts";
import type { SandboxLookup } from "../sandboxes/lookup.ts";
import type { AwaitReady } from "../sleep/waking.ts";
import { inTransaction } from "../store/transaction.ts";
import type { WorkspaceModule } from "./module.ts";
import { namedPath, presentPath } from "./present.ts";

export interface SyncRouteDependencies {
  readonly workspaces: WorkspaceModule;
  readonly lookup: SandboxLookup;
  /** Wakes a sandbox that sleeps. */
  readonly awaitReady: AwaitReady;
}

/** Syncs of a sandbox's workspace. */
export function syncRoutes(api: Api, deps: SyncRouteDependencies): void {
  runRoutes(api, deps);
  continuousRoutes(api, deps);
  backupRoutes(api, deps);
}

function runRoutes(api: Api, deps: SyncRouteDependencies): void {
  const { workspaces, lookup } = deps;
  const { rows, service } = workspaces;
  const before = (input: ToWake) => awake(deps, input);
  const start = async ({ params, body, caller }: MountedInput<typeof startSync>, work: UnitOfWork) => {
    const row = await lookup.own(params.id, caller.user.id, work.trx);
    return { operation: await service.start(work, row, body) };
  };
  mountTransactional(api, startSync, start, before);

  mount(api, getSync, async ({ params, caller }) => workspaces.status(await lookup.own(params.id, caller.user.id)));

  mount(api, listSyncChanges, async ({ params, query, caller }) => {
    const row = await lookup.own(params.id, caller.user.id);
    const run = query.operation === undefined ? await rows.latestRun(row.id) : await rows.run(query.operation);
    if (query.operation !== undefined && run?.sandbox_id !== row.id) {
      throw new BerthError("not_found", `There is no sync ${query.operation} of this workspace.`);
    }
    const limit = pageLimit(query);
    const from = query.cursor === undefined ? 0 : Number(query.cursor);
    if (!Number.isSafeInteger(from) || from < 0 || from > 2 ** 31 - 1) {
      throw new BerthError("invalid_request", "The cursor is not one of this list's.");
    }
    const found = run ? await rows.changes(run.id, { from, limit: limit + 1, action: query.action }) : [];
    const next = found[limit];
    return { items: found.slice(0, limit).map(({ data }) => data), nextCursor: next ? String(next.position) : null };
  });

  const resolveOne = async ({ params, body, caller }: MountedInput<typeof resolveSync>, work: UnitOfWork) => {
    const row = await lookup.own(params.id, caller.user.id, work.trx);
    const last = await rows.latestRun(row.id, { wet: true });
    if (!last) throw new BerthError("conflict", "This workspace was not synced yet, so there is nothing to decide.");
    const paths = body.paths.map(namedPath);
    if (!paths.every(isInside)) throw new BerthError("invalid_request", "A path leads out of the workspace.");
    const { dryRun: _, resolve: __, ...request } = last.request;
    // Whose version is taken is the source; where both stay, the direction is that of the sync that found them.
    const direction = body.take === "host" ? "push" : body.take === "sandbox" ? "pull" : request.direction;
    const encoded = paths.map((path) => rawPathBytes(path).toString("base64url"));
    const resolve = { take: body.take === "both" ? ("both" as const) : ("source" as const), paths: encoded };
    return { operation: await service.start(work, row, { ...request, git: false, direction, resolve }) };
  };
  mountTransactional(api, resolveSync, resolveOne, before);
}

type ToWake = Pick<MountedInput<typeof startSync>, "params" | "caller" | "reply">;

/** A user's own sandbox, woken if it sleeps. */
async function awake({ lookup, awaitReady }: SyncRouteDependencies, { params, caller, reply }: ToWake) {
  const { id } = await lookup.own(params.id, caller.user.id);
  return awaitReady(id, { signal: goneOf(reply), addressed: true });
}

function continuousRoutes(api: Api, { workspaces, lookup }: SyncRouteDependencies): void {
  const { rows, service, followers } = workspaces;
  mount(api, putContinuousSync, async ({ params, body, caller }) => {
    const row = await lookup.own(params.id, caller.user.id);
    if (body.git)
      throw new BerthError("invalid_request", "Repositories are not followed.", { hint: "Use git for them." });
    const folder = await service.folderFor(row, body);
    const wish = { ...body, folder };
    await inTransaction(api.db, async ({ trx }) => {
      await rows.noteFolder(trx, row.id, folder);
      await rows.follow(trx, row.id, wish);
    });
    await followers.follow(row.id, wish);
    return workspaces.status(row);
  });

  mount(api, deleteContinuousSync, async ({ params, caller }) => {
    const row = await lookup.own(params.id, caller.user.id);
    await rows.follow(api.db, row.id, null);
    await followers.unfollow(row.id);
    return workspaces.status(row);
  });
}

function backupRoutes(api: Api, deps: SyncRouteDependencies): void {
  const { service, runner } = deps.workspaces;
  mount(api, listSyncBackups, async (input) => {
    const row = await awake(deps, input);
    const folder = await service.folderFor(row, {});
    const sides = await runner.withSides(row, folder, async ({ host, sandbox }) => {
      const [ones, others] = await Promise.all([host.backups(), sandbox.backups()]);
      return [
        ...ones.map((facts) => ({ ...facts, side: "host" as const })),
        ...others.map((facts) => ({ ...facts, side: "sandbox" as const })),
      ];
    });
    return { items: sides.toSorted((one, other) => (one.id < other.id ? 1 : -1)) };
  });

  mount(api, listSyncBackupFiles, async (input) => {
    const { params, query } = input;
    const row = await awake(deps, input);
    const folder = await service.folderFor(row, {});
    const limit = query.limit ?? 1000;
    const paths = await runner.withSides(row, folder, ({ host, sandbox }) =>
      (query.side === "host" ? host : sandbox).backupPaths(params.backup, limit + 1),
    );
    return { items: paths.slice(0, limit).map(presentPath), truncated: paths.length > limit };
  });

  mount(api, restoreSyncBackup, async (input) => {
    const { params, body } = input;
    const row = await awake(deps, input);
    const path = namedPath(body);
    if (!isInside(path)) throw new BerthError("invalid_request", "The path leads out of the workspace.");
    const folder = await service.folderFor(row, {});
    const restored = await runner.withSides(row, folder, ({ host, sandbox }) =>
      (body.side === "host" ? host : sandbox).restore(params.backup, path, backupId(api.clock.now())),
    );
    if (!restored) throw new BerthError("not_found", `The backup ${params.backup} has no file ${body.path}.`);
    return { path: body.path };
  });
}
