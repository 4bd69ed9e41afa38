import type { Clock } from "@berth/base";
import { BerthError, newId, type SshSession } from "@berth/protocol";
import type { Kysely, Selectable } from "kysely";
import type { Database, SshSessionsTable } from "../store/tables.ts";

const limits = {
  keepDays: 90,
  /** Of one user's. */
  keepRows: 10_000,
} as const;

/** What is known of a connection when it has signed in. */
export interface BegunSession {
  readonly ownerId: string;
  readonly sandbox: { readonly id: string; readonly name: string } | undefined;
  readonly login: string;
  readonly keyFingerprint: string;
  readonly remoteAddress: string;
  readonly client: string;
}

/** What has gone through a connection so far. */
export interface SessionTraffic {
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly channels: Readonly<Record<string, number>>;
}

/** Writes down who was connected to what, when, and how much went through. */
export class SshSessions {
  readonly #db: Kysely<Database>;
  readonly #clock: Clock;

  constructor(db: Kysely<Database>, clock: Clock) {
    this.#db = db;
    this.#clock = clock;
  }

  /** Answers the new session's id. */
  async begin(session: BegunSession): Promise<string> {
    const id = newId("sshSession");
    await this.#db
      .insertInto("ssh_sessions")
      .values({
        id,
        owner_id: session.ownerId,
        sandbox_id: session.sandbox?.id ?? null,
        sandbox_name: session.sandbox?.name ?? null,
        login: session.login,
        key_fingerprint: session.keyFingerprint,
        remote_address: session.remoteAddress,
        client: session.client,
        // To the millisecond, as the cursor of a page is.
        started_at: new Date(this.#clock.now()),
      })
      .execute();
    return id;
  }

  /** Notes the traffic of an open session, so that a crash loses little of it. */
  async note(id: string, traffic: SessionTraffic): Promise<void> {
    await this.#db.updateTable("ssh_sessions").set(columns(traffic)).where("id", "=", id).execute();
  }

  async end(id: string, traffic: SessionTraffic, reason: string): Promise<void> {
    await this.#db
      .updateTable("ssh_sessions")
      .set({ ...columns(traffic), ended_at: new Date(this.#clock.now()), end_reason: reason })
      .where("id", "=", id)
      .execute();
  }

  /** Ends what a controller before this one has left open. */
  async endLeftOpen(): Promise<void> {
    await this.#db
      .updateTable("ssh_sessions")
      .set({ ended_at: new Date(this.#clock.now()), end_reason: "the controller was killed" })
      .where("ended_at", "is", null)
      .execute();
  }

  /** A page of a user's, the newest first. Throws `invalid_request` for a cursor that is none. */
  async list(
    ownerId: string,
    query: { limit: number; cursor?: string | undefined; sandboxId?: string | undefined },
  ): Promise<{ items: SshSession[]; nextCursor: string | null }> {
    const after = query.cursor === undefined ? undefined : readCursor(query.cursor);
    let rows = this.#db.selectFrom("ssh_sessions").selectAll().where("owner_id", "=", ownerId);
    if (query.sandboxId !== undefined) rows = rows.where("sandbox_id", "=", query.sandboxId);
    if (after) {
      rows = rows.where((eb) => eb(eb.refTuple("started_at", "id"), "<", eb.tuple(after.startedAt, after.id)));
    }
    const found = await rows
      .orderBy("started_at", "desc")
      .orderBy("id", "desc")
      .limit(query.limit + 1)
      .execute();
    const shown = found.slice(0, query.limit);
    const last = shown.at(-1);
    const more = found.length > query.limit && last !== undefined;
    return { items: shown.map(present), nextCursor: more ? `${last.started_at.getTime()}.${last.id}` : null };
  }

  /** Forgets the old ones, and the oldest of who has very many; answers how many. */
  async prune(): Promise<number> {
    const before = new Date(this.#clock.now() - limits.keepDays * 24 * 3_600_000);
    const { numDeletedRows } = await this.#db
      .deleteFrom("ssh_sessions")
      .where("ended_at", "is not", null)
      .where((eb) =>
        eb.or([
          eb("started_at", "<", before),
          eb(
            "id",
            "in",
            eb
              .selectFrom((inner) =>
                inner
                  .selectFrom("ssh_sessions")
                  .select(["id"])
                  .select((of) =>
                    of.fn
                      .agg<number>("row_number")
                      .over((over) => over.partitionBy("owner_id").orderBy("started_at", "desc").orderBy("id", "desc"))
                      .as("place"),
                  )
                  .as("ranked"),
              )
              .select("ranked.id")
              .where("ranked.place", ">", limits.keepRows),
          ),
        ]),
      )
      .executeTakeFirst();
    return Number(numDeletedRows);
  }
}

function columns({ bytesIn, bytesOut, channels }: SessionTraffic) {
  return { bytes_in: bytesIn, bytes_out: bytesOut, channels: JSON.stringify(channels) };
}

function present(row: Selectable<SshSessionsTable>): SshSession {
  return {
    id: row.id,
    sandboxId: row.sandbox_id,
    sandboxName: row.sandbox_name,
    login: row.login,
    keyFingerprint: row.key_fingerprint,
    remoteAddress: row.remote_address,
    client: row.client,
    startedAt: row.started_at.toISOString(),
    endedAt: row.ended_at?.toISOString() ?? null,
    endReason: row.end_reason,
    bytesIn: row.bytes_in,
    bytesOut: row.bytes_out,
    channels: row.channels,
  };
}

/** Where the page before ended: `<started, milliseconds>.<id>`. */
function readCursor(cursor: string): { startedAt: Date; id: string } {
  const match = /^(\d{1,15})\.(ssh_[0-9a-z]{20})$/.exec(cursor);
  if (!match?.[1] || !match[2]) throw new BerthError("invalid_request", "The cursor is not one of this list's.");
  return { startedAt: new Date(Number(match[1])), id: match[2] };
}
