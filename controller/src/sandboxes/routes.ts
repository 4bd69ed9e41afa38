import {
  BerthError,
  createSandbox,
  deleteSandbox,
  getSandbox,
  listSandboxes,
  restartSandbox,
  sleepSandbox,
  startSandbox,
  stopSandbox,
  updateSandbox,
  wakeSandbox,
} from "@berth/protocol";
import type { Api } from "../http/api.ts";
import { mount, mountTransactional } from "../http/mount.ts";
import { pageLimit } from "../http/page.ts";
import type { FleetLimits } from "../limits/limits.ts";
import type { OperationJournal } from "../operations/journal.ts";
import { inTransaction } from "../store/transaction.ts";
import { changeSandbox } from "./changes.ts";
import type { SandboxLookup } from "./lookup.ts";
import type { SandboxRow } from "./record.ts";
import type { Sandboxes } from "./repository.ts";
import { isProtected, type SandboxService } from "./service.ts";

export interface SandboxRouteDependencies {
  sandboxes: Sandboxes;
  service: SandboxService;
  journal: OperationJournal;
  limits: FleetLimits;
  lookup: SandboxLookup;
  /**
   * Answers whether there is unsaved work to keep. Throws `unsaved_work` where some would be lost and the caller has not
   * said that it may be.
   */
  permitDestroy(row: SandboxRow, discard: boolean): Promise<{ keep: boolean }>;
  /** The owner has set another environment, and it is committed. */
  onEnvironmentChanged(sandboxId: string): void;
  /** It has another name, and it is committed. */
  onRenamed(sandboxId: string): void;
}

export function sandboxRoutes(api: Api, deps: SandboxRouteDependencies): void {
  const { sandboxes, service, journal, limits, lookup, onEnvironmentChanged, onRenamed, permitDestroy } = deps;
  mount(api, listSandboxes, async ({ query, caller }) => {
    const limit = pageLimit(query);
    const after = query.cursor === undefined ? undefined : readCursor(query.cursor);
    const rows = await api.db
      .selectFrom("sandboxes")
      .selectAll()
      .where("owner_id", "=", caller.user.id)
      .$if(after !== undefined, (list) =>
        list.where((eb) =>
          eb(eb.refTuple("created_at", "id"), "<", eb.tuple(after?.createdAt ?? new Date(0), after?.id ?? "")),
        ),
      )
      .orderBy("created_at", "desc")
      .orderBy("id", "desc")
      .limit(limit + 1)
      .execute();
    const shown = rows.slice(0, limit);
    const last = shown.at(-1);
    return {
      items: await Promise.all(shown.map((row) => sandboxes.present(row))),
      nextCursor: rows.length > limit && last ? `${last.created_at.getTime()}.${last.id}` : null,
    };
  });

  mountTransactional(api, createSandbox, ({ body, caller }, work) => service.create(work, caller.user.id, body));

  mount(api, getSandbox, async ({ params, caller }) => sandboxes.present(await lookup.own(params.id, caller.user.id)));

  mountTransactional(api, updateSandbox, async ({ params, body, caller }, work) => {
    const row = await lookup.own(params.id, caller.user.id, work.trx);
    const changed = await changeSandbox(work, { sandboxes, service, journal, limits }, row, body);
    const { name, env } = body;
    if (name !== undefined) work.afterCommit(() => onRenamed(row.id));
    // Its name is among it.
    if (env !== undefined || name !== undefined) work.afterCommit(() => onEnvironmentChanged(row.id));
    return changed;
  });

  mount(api, deleteSandbox, async ({ params, query, caller }) => {
    // A sandbox is asked before a transaction begins: its answer may take seconds.
    const row = await lookup.own(params.id, caller.user.id);
    if (row.protection) throw isProtected(row);
    const options = await permitDestroy(row, query.discard === true);
    return inTransaction(api.db, async (work) => ({
      operation: await service.want(work, await lookup.own(params.id, caller.user.id, work.trx), "destroy", options),
    }));
  });

  const power = [
    [startSandbox, "start"],
    [stopSandbox, "stop"],
    [restartSandbox, "restart"],
    [sleepSandbox, "sleep"],
    [wakeSandbox, "wake"],
  ] as const;
  for (const [route, kind] of power) {
    mountTransactional(api, route, async ({ params, caller }, work) => ({
      operation: await service.want(work, await lookup.own(params.id, caller.user.id, work.trx), kind),
    }));
  }
}

/** Where the page before ended: `<created, milliseconds>.<id>`. */
function readCursor(cursor: string): { createdAt: Date; id: string } {
  const match = /^(\d{1,16})\.(sbx_[0-9a-z]{20})$/.exec(cursor);
  if (!match?.[1] || !match[2]) throw new BerthError("invalid_request", "The cursor is not one of this list's.");
  return { createdAt: new Date(Number(match[1])), id: match[2] };
}
