import { BerthError, cancelOperation, getOperation, operationEvents } from "@berth/protocol";
import type { Kysely } from "kysely";
import type { EventLog } from "../events/log.ts";
import { asServerEvents, mountEvents } from "../events/sse.ts";
import type { Api } from "../http/api.ts";
import type { UnitOfWork } from "../http/context.ts";
import { mount, mountTransactional } from "../http/mount.ts";
import type { SandboxLookup } from "../sandboxes/lookup.ts";
import type { SandboxService } from "../sandboxes/service.ts";
import type { Database } from "../store/tables.ts";
import { isGitOperation } from "./beside.ts";
import { type OperationRow, presentOperation } from "./record.ts";

export interface OperationRouteDependencies {
  events: EventLog;
  service: SandboxService;
  lookup: SandboxLookup;
  /** Gives the build of a template up, which then takes away what it has made. */
  cancelBuild(work: UnitOfWork, operation: OperationRow): Promise<void>;
  /** Gives a sync up. */
  cancelSync(work: UnitOfWork, operation: OperationRow): Promise<void>;
  /** Gives a push, a fetch or the like up. */
  cancelGit(work: UnitOfWork, operation: OperationRow): Promise<void>;
}

export function operationRoutes(api: Api, deps: OperationRouteDependencies): void {
  const { events, service, lookup, cancelBuild, cancelSync, cancelGit } = deps;
  const own = async (id: string, userId: string, db: Kysely<Database> = api.db): Promise<OperationRow> => {
    const row = await db
      .selectFrom("operations")
      .selectAll()
      .where("id", "=", id)
      .where("owner_id", "=", userId)
      .executeTakeFirst();
    if (!row) throw new BerthError("not_found", `There is no operation ${id}.`);
    return row;
  };

  mount(api, getOperation, async ({ params, caller }) => presentOperation(await own(params.id, caller.user.id)));

  mountTransactional(api, cancelOperation, async ({ params, caller }, work) => {
    const operation = await own(params.id, caller.user.id, work.trx);
    if (operation.finished_at) throw new BerthError("conflict", `The operation has ended already: ${operation.state}.`);
    if (operation.kind === "sync") await cancelSync(work, operation);
    else if (isGitOperation(operation.kind)) await cancelGit(work, operation);
    else if (operation.sandbox_id === null) await cancelBuild(work, operation);
    else await service.cancel(work, await lookup.own(operation.sandbox_id, caller.user.id, work.trx), operation);
    return presentOperation(await own(params.id, caller.user.id, work.trx));
  });

  mountEvents(api, operationEvents, async ({ params, query, caller, lastEventId, signal }) => {
    const operation = await own(params.id, caller.user.id);
    const filter = {
      ownerId: caller.user.id,
      operationId: operation.id,
      afterSeq: lastEventId ?? 0,
      backlogOnly: query.follow === false,
    };
    return asServerEvents(events.stream(filter, signal), "done");
  });
}
