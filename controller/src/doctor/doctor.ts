import type { Clock } from "@berth/base";
import type { DoctorReport, Orphan } from "@berth/protocol";
import type { Kysely } from "kysely";
import type { ProxmoxAccess } from "../settings/settings.ts";
import type { Database } from "../store/tables.ts";
import { checkAddresses } from "./addresses.ts";
import { type AgentAddress, checkAgentAddress } from "./agents.ts";
import { look } from "./check.ts";
import { type ClusterPatient, checkCluster } from "./cluster.ts";
import { checkOrphans, orphansSubject } from "./orphans.ts";
import { checkDatabase, checkDataDir } from "./own.ts";

export interface DoctorDependencies extends ClusterPatient {
  readonly access: ProxmoxAccess;
  readonly clock: Clock;
  readonly db: Kysely<Database>;
  readonly dataDir: string;
  /** Asked at each look: the port is known once it listens. */
  readonly agents: () => AgentAddress;
  /** Containers of the fleet's that no sandbox has. */
  readonly orphans: () => Promise<readonly Orphan[]>;
}

/** For how long what was found counts for whoever asks about something else beside it, in milliseconds. */
const recentMs = 5_000;

/** Looks at everything that Berth needs. Changes nothing, and never throws for what it finds. */
export class Doctor {
  readonly #deps: DoctorDependencies;
  #last: { readonly begunAt: number; readonly report: Promise<DoctorReport> } | undefined;

  constructor(dependencies: DoctorDependencies) {
    this.#deps = dependencies;
  }

  /** What was found within the last seconds; looks where nobody has. Several at once share one look. */
  recent(): Promise<DoctorReport> {
    const now = this.#deps.clock.now();
    if (this.#last && now - this.#last.begunAt < recentMs) return this.#last.report;
    return this.report();
  }

  /** Looks now. */
  report(): Promise<DoctorReport> {
    const report = this.#look();
    this.#last = { begunAt: this.#deps.clock.now(), report };
    return report;
  }

  async #look(): Promise<DoctorReport> {
    const { access, clock, db, dataDir, agents, orphans } = this.#deps;
    const parts = await Promise.all([
      checkAddresses(access, clock),
      checkCluster(this.#deps, () => look(orphansSubject, async () => checkOrphans(await orphans()))),
      look({ id: "agents:address", title: "Address for agents" }, () => checkAgentAddress(agents())),
      checkDatabase(db),
      checkDataDir(dataDir),
    ]);
    return { checks: parts.flat() };
  }
}
