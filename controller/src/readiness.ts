import { BerthError, type Failure, type Readiness as ReadinessReport } from "@berth/protocol";
import type { Kysely } from "kysely";
import { sql } from "kysely";
import type { ProxmoxHealth } from "./cluster/connection.ts";
import type { Api } from "./http/api.ts";
import type { Database } from "./store/tables.ts";
import { version } from "./version.ts";

/** Knows whether this controller can do its work. */
export class Readiness {
  readonly #db: Kysely<Database>;
  readonly #proxmox: ProxmoxHealth;
  /** Whether this controller leads; set once. */
  active = false;

  constructor(db: Kysely<Database>, proxmox: ProxmoxHealth) {
    this.#db = db;
    this.#proxmox = proxmox;
  }

  async report(): Promise<ReadinessReport> {
    const [database, proxmox] = await Promise.all([this.#databaseFailure(), this.#proxmox.failure()]);
    const checks = { database: check(database), proxmox: check(proxmox) };
    return {
      ready: this.active && !database && !proxmox,
      version,
      role: this.active ? "active" : "standby",
      checks,
    };
  }

  async #databaseFailure(): Promise<Failure | undefined> {
    try {
      await sql`select 1`.execute(this.#db);
      return undefined;
    } catch {
      return {
        code: "database_unavailable",
        message: "PostgreSQL does not answer.",
        hint: "Look whether it runs; Berth goes on by itself when it is back.",
      };
    }
  }
}

function check(failure: Failure | undefined) {
  return { ok: failure === undefined, error: failure ?? null };
}

/** A controller that stands by answers who is signed in to nobody: the one that leads does. */
export function refuseInStandby(api: Api, readiness: Readiness): void {
  api.fastify.addHook("preHandler", async () => {
    if (readiness.active) return;
    throw new BerthError("not_ready", "This controller stands by for another one, or is still starting.", {
      hint: "Use the other one, or try again in a moment.",
    });
  });
}
