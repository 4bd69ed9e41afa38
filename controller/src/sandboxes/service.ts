import type { Clock } from "@berth/base";
import {
  BerthError,
  type createSandbox,
  newId,
  type Operation,
  type PowerOperationKind,
  type RouteInput,
  type Sandbox,
  type SandboxOperationKind,
  type SandboxSize,
  sandboxSizes,
  type Workspace,
} from "@berth/protocol";
import type { Insertable } from "kysely";
import type { UnitOfWork } from "../http/context.ts";
import type { FleetLimits } from "../limits/limits.ts";
import type { OperationJournal } from "../operations/journal.ts";
import { insertOperation, type OperationRow, presentOperation } from "../operations/record.ts";
import type { PoolMembers } from "../pool/members.ts";
import type { SandboxesTable } from "../store/tables.ts";
import { suggestName } from "./names.ts";
import { isDiskWork } from "./plan.ts";
import type { SandboxRow } from "./record.ts";
import type { Sandboxes } from "./repository.ts";

type CreateBody = RouteInput<typeof createSandbox>["body"];

export interface SandboxServiceDependencies {
  sandboxes: Sandboxes;
  journal: OperationJournal;
  clock: Clock;
  limits: FleetLimits;
  /** Sandboxes that are made already, and fit some wishes. */
  members: PoolMembers;
  /** What a sandbox gets where nobody says otherwise. */
  defaultSize: SandboxSize;
  /** What the row of a sandbox with this workspace has beside it. Throws for a workspace that cannot be. */
  workspaceWish(work: UnitOfWork, ownerId: string, workspace: Workspace): Promise<Partial<Insertable<SandboxesTable>>>;
  /** Looks at a sandbox soon. */
  wake(sandboxId: string): void;
}

/**
 * What people want of sandboxes: each wish is one transaction that writes the desired state, the operation that will
 * get there, and that somebody has to look. The work itself is the reconciler's.
 */
export class SandboxService {
  readonly #deps: SandboxServiceDependencies;

  constructor(dependencies: SandboxServiceDependencies) {
    this.#deps = dependencies;
  }

  async create(
    work: UnitOfWork,
    ownerId: string,
    body: CreateBody,
  ): Promise<{ sandbox: Sandbox; operation: Operation }> {
    const name = await freeName(work, body.name);
    const workspace = body.workspace ?? { type: "empty" };
    const size = { ...this.#deps.defaultSize, ...(body.size && sandboxSizes[body.size]), ...numbersOf(body) };
    const running = body.start !== false;
    await this.#deps.limits.require(work, { ownerId, size, running });
    const values = {
      owner_id: ownerId,
      name,
      cores: size.cores,
      memory_mib: size.memoryMiB,
      disk_gib: size.diskGiB,
      node_wanted: body.node ?? null,
      vlan: body.vlan ?? null,
      workspace: JSON.stringify(workspace),
      ...(await this.#deps.workspaceWish(work, ownerId, workspace)),
      env: JSON.stringify(body.env ?? {}),
      sleep_after: sleepAfter(body.sleepAfterMinutes),
      look_at: new Date(this.#deps.clock.now()),
      // In milliseconds, as the cursor of the list has it; the database's own default is finer.
      created_at: new Date(this.#deps.clock.now()),
    };
    const fitting = { size, node: body.node, vlan: body.vlan };
    const explain = (error: unknown): never => {
      throw isDuplicate(error) ? nameTaken(name) : error;
    };
    const taken = running ? await this.#deps.members.take(work, fitting, values).catch(explain) : undefined;
    const row = taken ?? (await insert(work, { ...values, desired: running ? "running" : "stopped" }));
    if (!row) throw nameTaken(name);
    const operation = await this.begin(work, row, "create");
    return { sandbox: await this.#deps.sandboxes.present(row, work.trx), operation };
  }

  /**
   * Wants a sandbox started, stopped, restarted, put to sleep, woken or destroyed; what was under way is given up for it.
   * `keep`: its unsaved work is copied before it is destroyed; `unasked`: it is to sleep since nobody uses it. Throws
   * `sandbox_not_ready` for a sleep of what does not run, and a wake of what somebody has stopped.
   */
  async want(
    work: UnitOfWork,
    sandbox: SandboxRow,
    kind: PowerOperationKind,
    options: { keep?: boolean; unasked?: boolean } = {},
  ): Promise<Operation> {
    const row = await this.#deps.sandboxes.lock(work, sandbox.id);
    if (!row) throw new BerthError("not_found", `There is no sandbox ${sandbox.name}.`);
    if (row.desired === "destroyed" && kind !== "destroy") {
      throw new BerthError("conflict", `The sandbox "${row.name}" is being destroyed.`);
    }
    const current = await this.#deps.journal.current(row.id, work.trx);
    requireFit(kind, row);
    // The same wish again is the same work.
    if (current?.kind === kind && kind !== "restart") return presentOperation(current);
    if (kind === "start" || kind === "restart") await this.#requireRoom(work, row);
    if (kind === "destroy" && row.protection) throw isProtected(row);
    if (kind !== "destroy" && current && isDiskWork(current.kind)) throw diskInUse(row);
    if (current) await this.#deps.journal.supersede(work.trx, current);
    await this.#deps.sandboxes.changeIn(work, row, {
      disk_work: null,
      desired: desiredBy[kind],
      ...(kind === "sleep" ? { sleep_unasked: options.unasked === true } : {}),
      ...(kind === "destroy" && options.keep === true ? { keep_wanted: true } : {}),
      ...(kind === "restart" ? { boot_wanted: row.boot_wanted + 1 } : {}),
      state: transitionOf(kind, row),
      error: null,
      attempts: 0,
      look_at: new Date(this.#deps.clock.now()),
    });
    return this.begin(work, row, kind);
  }

  /** Has a sandbox looked at that something else is wished for than before. */
  async look(work: UnitOfWork, row: SandboxRow): Promise<void> {
    await this.#deps.sandboxes.changeIn(work, row, { look_at: new Date(this.#deps.clock.now()), attempts: 0 });
    work.afterCommit(() => this.#deps.wake(row.id));
  }

  /** Gives an operation up: a create leaves nothing behind, a start ends stopped. */
  async cancel(work: UnitOfWork, sandbox: SandboxRow, operation: OperationRow): Promise<void> {
    if (operation.kind === "create" || operation.kind === "fork") await this.want(work, sandbox, "destroy");
    else if (operation.kind === "start" || operation.kind === "restart") await this.want(work, sandbox, "stop");
    else if (operation.kind === "sleep") await this.want(work, sandbox, "wake");
    else
      throw new BerthError("conflict", `A ${operation.kind.replace("_", " ")} cannot be cancelled.`, {
        hint: "Wait for its end.",
      });
  }

  /** A sandbox that is to run takes part in the limits of cores and memory again. */
  #requireRoom(work: UnitOfWork, row: SandboxRow): Promise<void> {
    const size = { cores: row.cores, memoryMiB: row.memory_mib, diskGiB: row.disk_gib };
    return this.#deps.limits.require(work, { ownerId: row.owner_id, sandboxId: row.id, size, running: true });
  }

  /**
   * Begins the operation of a wish that the caller has written into the row, and has it looked at. There must be none
   * under way on the sandbox.
   */
  async begin(work: UnitOfWork, row: SandboxRow, kind: SandboxOperationKind): Promise<Operation> {
    const operation = await insertOperation(work.trx, row, kind);
    await this.#deps.sandboxes.announce(work, row);
    await work.trx
      .insertInto("audit")
      .values({
        user_id: row.owner_id,
        action: `sandbox.${kind}`,
        subject: row.id,
        detail: JSON.stringify({ name: row.name }),
      })
      .execute();
    work.afterCommit(() => this.#deps.wake(row.id));
    return presentOperation(operation);
  }
}

const desiredBy = {
  start: "running",
  restart: "running",
  wake: "running",
  stop: "stopped",
  sleep: "asleep",
  destroy: "destroyed",
} as const;

function requireFit(kind: SandboxOperationKind, row: SandboxRow): void {
  if (kind === "sleep" && row.desired !== "asleep" && !(row.desired === "running" && row.state === "ready")) {
    throw new BerthError(
      "sandbox_not_ready",
      `The sandbox "${row.name}" is ${row.state}, so it cannot be put to sleep.`,
    );
  }
  if (kind === "wake" && row.desired === "stopped") {
    throw new BerthError("sandbox_not_ready", `The sandbox "${row.name}" was stopped.`, { hint: "Start it." });
  }
}

/** A wish for when to sleep as it is kept. */
export function sleepAfter(wish: number | "off" | null | undefined): string | null {
  return wish === undefined || wish === null ? null : JSON.stringify(wish);
}

/** Undefined: the name is taken. */
function insert(
  { trx }: UnitOfWork,
  values: Omit<Insertable<SandboxesTable>, "id" | "state">,
): Promise<SandboxRow | undefined> {
  return trx
    .insertInto("sandboxes")
    .values({ ...values, id: newId("sandbox"), state: "provisioning" })
    .onConflict((conflict) => conflict.column("name").doNothing())
    .returningAll()
    .executeTakeFirst();
}

function transitionOf(kind: SandboxOperationKind, row: SandboxRow): string {
  if (kind === "destroy") return "destroying";
  // Until its agent has agreed, it is what it was.
  if (kind === "sleep") return row.state;
  if (row.state === "asleep" && kind === "stop") return "stopped";
  if (kind === "stop" || kind === "restart") return row.state === "stopped" && kind === "stop" ? "stopped" : "stopping";
  return row.configured ? "starting" : "provisioning";
}

/** The numbers that somebody gave. */
function numbersOf({ cores, memoryMiB, diskGiB }: CreateBody): Partial<SandboxSize> {
  return {
    ...(cores === undefined ? {} : { cores }),
    ...(memoryMiB === undefined ? {} : { memoryMiB }),
    ...(diskGiB === undefined ? {} : { diskGiB }),
  };
}

/** Work on a disk is not given up halfway; it takes seconds mostly. */
function diskInUse({ name, disk_work: work }: SandboxRow): BerthError {
  const what = { snapshot: "taken", delete_snapshot: "deleted", rollback: "gone back to" }[work?.kind ?? "snapshot"];
  const message = `The snapshot ${work?.name ?? ""} of "${name}" is being ${what}.`;
  return new BerthError("conflict", message, { hint: "Wait for its end." });
}

/** Why a sandbox is not destroyed. */
export function isProtected({ name }: SandboxRow): BerthError {
  return new BerthError("protected", `The sandbox "${name}" is protected.`, {
    hint: `Take its protection off first: berth set ${name} --protection off`,
  });
}

export async function freeName({ trx }: UnitOfWork, wanted: string | undefined): Promise<string> {
  for (let tries = 0; tries < 20; tries++) {
    const name = wanted ?? suggestName();
    const taken = await trx.selectFrom("sandboxes").select("id").where("name", "=", name).executeTakeFirst();
    if (!taken) return name;
    if (wanted !== undefined) break;
  }
  throw nameTaken(wanted ?? "");
}

/** Whether a write was refused for a value that another row has, such as a name. */
function isDuplicate(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "23505";
}

export function nameTaken(name: string): BerthError {
  return new BerthError("name_taken", `There is a sandbox called "${name}" already.`, { hint: "Choose another name." });
}
