import { after, backoffMs, type Clock, Gate } from "@berth/base";
import type { FastifyBaseLogger } from "fastify";
import type { Kysely } from "kysely";
import { connectSsh } from "../bootstrap/connect.ts";
import type { FleetKeys } from "../fleet/keys.ts";
import type { SandboxRow } from "../sandboxes/record.ts";
import type { Database } from "../store/tables.ts";
import { isBootstrapping, newDelivery } from "./access-delivered.ts";
import { type WantedAccess, wantedAccess } from "./access-wanted.ts";
import { deliverAccess } from "./deliver-access.ts";

/** A connection to a sandbox's SSH server. */
export interface AccessConnection {
  /** Puts it into the sandbox, and gives the sandbox this host name. */
  deliver(wanted: WantedAccess, name: string): Promise<void>;
  close(): void;
}

export interface AccessKeeperDependencies {
  readonly db: Kysely<Database>;
  readonly keys: FleetKeys;
  readonly clock: Clock;
  readonly log: FastifyBaseLogger;
  /** Signs in to a sandbox; unset: over SSH. */
  readonly reach?: (row: SandboxRow) => Promise<AccessConnection>;
}

const limits = {
  atOnce: 4,
  /** Those that failed wait for each other, and for nobody else: each may take as long as a connection that hangs. */
  failedAtOnce: 1,
  /** A sandbox that nobody reaches costs a connection in so long, however many of them there are. */
  retry: { firstMs: 2_000, maxMs: 900_000 },
  /** A bootstrap takes 30 seconds at most. */
  bootstrapPollMs: 1_000,
  bootstrapPolls: 40,
  /** How long an SSH server may refuse connections while it begins anew. */
  newStartMs: 1_500,
  /** Each is another delivery that began meanwhile. */
  handOverTries: 10,
} as const;

/** A sandbox that is looked at, or is to be again. */
interface Work {
  running: boolean;
  /** Something changed since the look that runs began. */
  again: boolean;
  failures: number;
  polls: number;
  callOff: () => void;
}

/**
 * Sees to it that each sandbox knows the keys of its user and its own name as they are now, and has a host certificate that
 * is good. What
 * it is to have follows from the database alone, and what it is known to have stands in its row: so nothing is
 * forgotten, whatever is killed, and whoever removes a key may rely on it. A sandbox that is off gets it when its agent
 * says hello.
 */
export class AccessKeeper {
  readonly #deps: AccessKeeperDependencies;
  readonly #gate = new Gate(limits.atOnce);
  readonly #failedGate = new Gate(limits.failedAtOnce);
  readonly #works = new Map<string, Work>();
  #stopped = false;

  constructor(dependencies: AccessKeeperDependencies) {
    this.#deps = dependencies;
  }

  /** A user has added or removed a key, and it is committed. Never rejects. */
  async keysChanged(userId: string): Promise<void> {
    try {
      const rows = await this.#deps.db
        .selectFrom("sandboxes")
        .select("id")
        .where("owner_id", "=", userId)
        .where("desired", "=", "running")
        .execute();
      for (const { id } of rows) this.look(id);
    } catch (err) {
      this.#deps.log.warn({ userId, err }, "the sandboxes of who changed a key could not be read");
    }
  }

  /** Something about a sandbox may have changed: its agent has come, or it has another name. */
  look(sandboxId: string): void {
    if (this.#stopped) return;
    const work = this.#works.get(sandboxId) ?? {
      running: false,
      again: false,
      failures: 0,
      polls: 0,
      callOff: () => {},
    };
    this.#works.set(sandboxId, work);
    work.callOff();
    work.again = true;
    if (work.running) return;
    work.running = true;
    const gate = work.failures === 0 ? this.#gate : this.#failedGate;
    void gate.run(() => this.#run(sandboxId, work));
  }

  /**
   * Gives a sandbox that runs its name within, and the keys of its present user, whoever had it before. No bootstrap of
   * it may be under way. Rejects when it cannot be reached.
   */
  async handOver(sandboxId: string): Promise<void> {
    const row = await this.#row(sandboxId);
    if (!row) return;
    const connection = await (this.#deps.reach ?? this.#reach)(row);
    try {
      // One that was cut has left its mark.
      if (isBootstrapping(row.access_delivered)) await this.#forget(sandboxId);
      for (let tries = 1; tries <= limits.handOverTries; tries += 1) {
        if (await this.#deliver(connection, sandboxId)) return;
      }
    } finally {
      connection.close();
    }
    throw new Error("somebody else gives it keys all the time");
  }

  /** Looks at all that may run, for certificates that are to be renewed; answers 0, since it removes nothing. */
  async lookAtAll(): Promise<number> {
    const rows = await this.#deps.db.selectFrom("sandboxes").select("id").where("desired", "=", "running").execute();
    for (const { id } of rows) this.look(id);
    return 0;
  }

  /** Begins nothing more. */
  stop(): void {
    this.#stopped = true;
    for (const { callOff } of this.#works.values()) callOff();
    this.#works.clear();
  }

  /** Never rejects. */
  async #run(sandboxId: string, work: Work): Promise<void> {
    try {
      while (work.again && !this.#stopped) {
        work.again = false;
        const done = await this.#bringUpToDate(sandboxId);
        if (done === "later" && work.polls < limits.bootstrapPolls) {
          work.polls += 1;
          this.#again(sandboxId, work, limits.bootstrapPollMs);
          break;
        }
        if (done === "later") await this.#forget(sandboxId);
        work.again ||= done !== "done";
        work.failures = 0;
        work.polls = 0;
      }
    } catch (err) {
      const waitMs = backoffMs(work.failures, limits.retry);
      // Told once: it may stay so for long.
      const level = work.failures === 0 ? "warn" : "debug";
      work.failures += 1;
      this.#deps.log[level]({ sandboxId, err, waitMs }, "a sandbox does not have its user's keys yet");
      this.#again(sandboxId, work, waitMs);
    }
    work.running = false;
    if (!work.again && work.failures === 0 && work.polls === 0) this.#works.delete(sandboxId);
  }

  #again(sandboxId: string, work: Work, waitMs: number): void {
    if (!this.#stopped) work.callOff = after(this.#deps.clock, waitMs, () => this.look(sandboxId));
  }

  /** `again`: what was delivered may be out of date by now. */
  async #bringUpToDate(sandboxId: string): Promise<"done" | "again" | "later"> {
    const row = await this.#row(sandboxId);
    if (row?.desired !== "running") return "done";
    // Its agent may be here before its bootstrap has ended.
    if (isBootstrapping(row.access_delivered)) return "later";
    // One that is off, or is being made, comes with a hello.
    if (row.bootstrapped_at === null || row.address === null) return "done";
    if (row.access_delivered === (await this.#wanted(row)).hash) return "done";
    const connection = await (this.#deps.reach ?? this.#reach)(row);
    try {
      await this.#deliver(connection, sandboxId);
      return "again";
    } finally {
      connection.close();
    }
  }

  /** Answers whether it is known to have what was delivered. */
  async #deliver(connection: AccessConnection, sandboxId: string): Promise<boolean> {
    const row = await this.#row(sandboxId);
    if (!row) return false;
    const mark = newDelivery();
    // While it is under way nobody knows what the sandbox has, and a bootstrap may begin.
    if (isBootstrapping(row.access_delivered) || !(await this.#exchange(row, mark))) return false;
    const wanted = await this.#wanted(row);
    await connection.deliver(wanted, row.name);
    const known = await this.#exchange({ ...row, access_delivered: mark }, wanted.hash);
    if (known) this.#deps.log.info({ sandboxId }, "the sandbox has its user's SSH keys");
    return known;
  }

  #row(sandboxId: string): Promise<SandboxRow | undefined> {
    return this.#deps.db.selectFrom("sandboxes").selectAll().where("id", "=", sandboxId).executeTakeFirst();
  }

  async #wanted(row: SandboxRow): Promise<WantedAccess> {
    const { db, keys, clock } = this.#deps;
    const people = await db.selectFrom("ssh_keys").select("public_key").where("user_id", "=", row.owner_id).execute();
    const lines = people.map(({ public_key }) => public_key);
    return wantedAccess(keys, row, lines, clock.now());
  }

  /** Writes it if the row still says what it did. */
  async #exchange({ id, access_delivered }: SandboxRow, value: string): Promise<boolean> {
    const { numUpdatedRows } = await this.#deps.db
      .updateTable("sandboxes")
      .set({ access_delivered: value })
      .where("id", "=", id)
      .where("access_delivered", "is not distinct from", access_delivered)
      .executeTakeFirst();
    return numUpdatedRows === 1n;
  }

  /** A bootstrap takes too long to be there still; if it is, it will not state what it brought. */
  async #forget(sandboxId: string): Promise<void> {
    await this.#deps.db.updateTable("sandboxes").set({ access_delivered: null }).where("id", "=", sandboxId).execute();
  }

  readonly #reach = async (row: SandboxRow): Promise<AccessConnection> => {
    const { keys } = this.#deps;
    const connection = await connectSsh({
      host: row.address ?? "",
      port: row.ssh_port ?? 22,
      // The files are root's; where containers are processes, of whoever runs them.
      username: row.ssh_user ?? "root",
      hostKeyFingerprints: [keys.hostKey(row.id).fingerprint],
      privateKeys: [keys.sshClient.privateKey],
      // Its agent runs, and so does its SSH server if it has one; a new certificate makes that begin anew.
      patienceMs: limits.newStartMs,
    });
    return { deliver: (wanted, name) => deliverAccess(connection, wanted, name), close: () => connection.close() };
  };
}
