import { BerthError, type LimitsInUse, type SandboxSize } from "@berth/protocol";
import { type Kysely, sql } from "kysely";
import type { UnitOfWork } from "../http/context.ts";
import { poolOwnerId } from "../pool/owner.ts";
import type { Database } from "../store/tables.ts";

/** What all sandboxes may come to together; undefined: as much as there is. */
export interface Limits {
  readonly sandboxes: number | undefined;
  readonly sandboxesPerUser: number | undefined;
  /** Of the sandboxes that are to run. */
  readonly cores: number | undefined;
  /** Of the sandboxes that are to run. */
  readonly memoryMiB: number | undefined;
  readonly diskGiB: number | undefined;
}

/** A sandbox as somebody wants it. */
export interface LimitedWish {
  readonly ownerId: string;
  /** The sandbox that is to become so; undefined: a new one. */
  readonly sandboxId?: string;
  readonly size: SandboxSize;
  /** Only what is to run uses cores and memory; what sleeps does too, since any use wakes it. */
  readonly running: boolean;
}

/** Any number of our own that no other advisory lock has: whoever wants more of the fleet takes turns. */
const lockKey = 0x62_6c_69_6d;

interface Count {
  readonly limit: keyof Limits;
  readonly setting: string;
  /** `sandboxes`, `MiB of memory`. */
  readonly unit: string;
  readonly asked: number;
  /** By all other sandboxes. */
  readonly used: number;
  /** By this one, as it is. */
  readonly own: number;
}

/** Holds the fleet within its limits. */
export class FleetLimits {
  readonly #limits: Limits;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /**
   * Refuses with `limit_exceeded` and the numbers what would be more than a limit. To be called in the transaction that
   * writes the wish, before it is written: until that has ended nobody else passes, so that two at once cannot. What asks
   * for no more than the sandbox has already passes, also above a limit that was lowered.
   */
  async require(work: UnitOfWork, wish: LimitedWish): Promise<void> {
    if (Object.values(this.#limits).every((limit) => limit === undefined)) return;
    await sql`select pg_advisory_xact_lock(${lockKey})`.execute(work.trx);
    const exceeded = (await counts(work, wish)).filter(({ limit, asked, used, own }) => {
      const most = this.#limits[limit];
      return most !== undefined && asked > own && used + asked > most;
    });
    if (exceeded.length > 0) throw this.#refusal(exceeded);
  }

  /** What is used of them, in all and by one user, who has no limits of their own but that of sandboxes. */
  async inUse(db: Kysely<Database>, ownerId: string): Promise<LimitsInUse> {
    const { sandboxes, sandboxesPerUser, cores, memoryMiB, diskGiB } = this.#limits;
    const [fleet, mine] = await Promise.all([total(db), total(db, ownerId)]);
    return {
      fleet: uses(fleet, { sandboxes, cores, memoryMiB, diskGiB }),
      mine: uses(mine, { sandboxes: sandboxesPerUser }),
    };
  }

  #refusal(exceeded: readonly Count[]): BerthError {
    const numbers = ({ limit, unit, asked, used }: Count) =>
      `${asked} ${unit} asked for, ${used} used by others, ${this.#limits[limit]} allowed`;
    return new BerthError(
      "limit_exceeded",
      `${exceeded.map(({ limit, ...count }) => `${whose(limit)}: ${numbers({ limit, ...count })}`).join("; ")}.`,
      {
        hint: `Stop or delete sandboxes, or raise ${exceeded.map(({ setting }) => setting).join(", ")}.`,
        fields: Object.fromEntries(exceeded.map((count) => [count.limit, numbers(count)])),
      },
    );
  }
}

const whose = (limit: keyof Limits) => (limit === "sandboxesPerUser" ? "Your limit" : "The fleet's limit");

interface Total {
  sandboxes: number;
  cores: number;
  memory_mib: number;
  disk_gib: number;
}

interface Used extends Total {
  of_owner: number;
}

/** The sums of what counts; rows are `sandboxes` that are somebody's, and not on their way out. */
const sums = sql`count(*)::integer as sandboxes,
  coalesce(sum(cores) filter (where desired in ('running', 'asleep')), 0)::integer as cores,
  coalesce(sum(memory_mib) filter (where desired in ('running', 'asleep')), 0)::bigint as memory_mib,
  coalesce(sum(disk_gib), 0)::bigint as disk_gib`;
const counted = sql`desired <> 'destroyed' and owner_id <> ${poolOwnerId}`;
const none: Total = { sandboxes: 0, cores: 0, memory_mib: 0, disk_gib: 0 };

async function counts(work: UnitOfWork, { ownerId, sandboxId, size, running }: LimitedWish): Promise<Count[]> {
  const [others, own] = [await used(work, ownerId, false, sandboxId), await used(work, ownerId, true, sandboxId)];
  const power = running ? 1 : 0;
  const row = (limit: keyof Limits, setting: string, unit: string, asked: number, of: keyof Used): Count => ({
    ...{ limit, setting, unit, asked },
    used: others[of],
    own: own[of],
  });
  return [
    row("sandboxes", "BERTH_MAX_SANDBOXES", "sandboxes", 1, "sandboxes"),
    row("sandboxesPerUser", "BERTH_MAX_SANDBOXES_PER_USER", "sandboxes", 1, "of_owner"),
    row("cores", "BERTH_MAX_CORES", "cores", power * size.cores, "cores"),
    row("memoryMiB", "BERTH_MAX_MEMORY_MIB", "MiB of memory", power * size.memoryMiB, "memory_mib"),
    row("diskGiB", "BERTH_MAX_DISK_GIB", "GiB of disk", size.diskGiB, "disk_gib"),
  ];
}

/** What the sandboxes use that count: the one that is asked for, or all others. */
async function used({ trx }: UnitOfWork, ownerId: string, self: boolean, sandboxId = ""): Promise<Used> {
  const { rows } = await sql<Used>`
    select ${sums}, (count(*) filter (where owner_id = ${ownerId}))::integer as of_owner
    from sandboxes where ${counted} and (id = ${sandboxId}) = ${self}`.execute(trx);
  return rows[0] ?? { ...none, of_owner: 0 };
}

/** What the sandboxes of a user use, or those of all. */
async function total(db: Kysely<Database>, ownerId?: string): Promise<Total> {
  const whose = ownerId === undefined ? sql`true` : sql`owner_id = ${ownerId}`;
  const { rows } = await sql<Total>`select ${sums} from sandboxes where ${counted} and ${whose}`.execute(db);
  return rows[0] ?? none;
}

function uses(total: Total, limits: Partial<Limits>): LimitsInUse["fleet"] {
  const { sandboxes, cores, memory_mib: memoryMiB, disk_gib: diskGiB } = total;
  const use = (used: number, limit: number | undefined) => ({ used, limit: limit ?? null });
  return {
    sandboxes: use(sandboxes, limits.sandboxes),
    cores: use(cores, limits.cores),
    memoryMiB: use(memoryMiB, limits.memoryMiB),
    diskGiB: use(diskGiB, limits.diskGiB),
  };
}
