import type { Clock } from "@berth/base";
import type { DoctorCheck, DoctorReport, Orphan } from "@berth/protocol";
import { isProxmoxError, type ProxmoxClient } from "@berth/proxmox";
import type { Kysely } from "kysely";
import type { ProxmoxAccess } from "../settings/settings.ts";
import type { Database } from "../store/tables.ts";
import type { ContentsFinder } from "../templates/contents.ts";
import type { TemplateFinder, TemplateState } from "../templates/finder.ts";
import { checkAddresses } from "./addresses.ts";
import { type AgentAddress, checkAgentAddress } from "./agents.ts";
import { briefly, look } from "./check.ts";
import { needsOf, type Places } from "./needs.ts";
import { checkBridges } from "./network.ts";
import { checkOrphans, orphansSubject } from "./orphans.ts";
import { checkDatabase, checkDataDir } from "./own.ts";
import { checkPrivileges } from "./privileges.ts";
import { checkStorages } from "./storages.ts";
import { checkTemplate } from "./template.ts";

export interface DoctorDependencies {
  readonly client: ProxmoxClient;
  readonly access: ProxmoxAccess;
  readonly clock: Clock;
  readonly db: Kysely<Database>;
  readonly dataDir: string;
  readonly finder: TemplateFinder;
  readonly contents: ContentsFinder;
  /** Asked at each look: the port is known once it listens. */
  readonly agents: () => AgentAddress;
  /** Containers of the fleet's that no sandbox has. */
  readonly orphans: () => Promise<readonly Orphan[]>;
  readonly pool: string | undefined;
  readonly storage: string | undefined;
  readonly bridge: string | undefined;
  readonly vlan: number | undefined;
  /** Of a sandbox of the usual size. */
  readonly diskGiB: number;
}

/** Looks at everything that Berth needs. Changes nothing, and never throws for what it finds. */
export class Doctor {
  readonly #deps: DoctorDependencies;

  constructor(dependencies: DoctorDependencies) {
    this.#deps = dependencies;
  }

  async report(): Promise<DoctorReport> {
    const { access, clock, db, dataDir, agents } = this.#deps;
    const parts = await Promise.all([
      checkAddresses(access, clock),
      this.#cluster(),
      look({ id: "agents:address", title: "Address for agents" }, () => checkAgentAddress(agents())),
      checkDatabase(db),
      checkDataDir(dataDir),
    ]);
    return { checks: parts.flat() };
  }

  /** What can be seen only of a cluster that answers: where it does not, one check says so. */
  async #cluster(): Promise<readonly DoctorCheck[]> {
    const { client, access, finder, contents, diskGiB } = this.#deps;
    return look({ id: "cluster", title: "Cluster" }, async () => {
      const nodes = (await client.cluster.nodes(briefly())).filter(({ online }) => online).map(({ node }) => node);
      const state = await findTemplate(finder);
      const places = await this.#places(nodes, state);
      const template = { id: "template", title: "Template" };
      const parts = await Promise.all([
        checkPrivileges(client, access.tokenId, needsOf(places)),
        checkStorages(client, nodes, { storage: places.storage, diskGiB }),
        checkBridges(client, nodes, places),
        look(orphansSubject, async () => checkOrphans(await this.#deps.orphans())),
        look(template, () => checkTemplate(state, { finder, contents })),
      ]);
      return parts.flat();
    });
  }

  async #places(nodes: readonly string[], state: TemplateState): Promise<Places> {
    const { client, pool, storage, bridge, vlan, finder } = this.#deps;
    const facts = state.kind === "ready" ? state.facts : undefined;
    const config = facts && (await client.containers.config(facts));
    const [node] = nodes;
    const listed = node === undefined ? [] : await client.storages.list(node, { content: "vztmpl" }, briefly());
    return {
      ...{ pool, vlan, nodes },
      templates: facts
        ? (await finder.all()).map(({ vmid }) => ({ vmid, found: true }))
        : [{ vmid: finder.vmid, found: false }],
      // Linked clones have their disks where the template has its own.
      storage: storage ?? config?.rootfs?.volume?.split(":")[0],
      archives: listed.find(({ active }) => active)?.storage ?? "local",
      bridge: bridge ?? config?.nets.get(0)?.bridge ?? "vmbr0",
    };
  }
}

/** A template that may not be read is none for whoever asks. */
async function findTemplate(finder: TemplateFinder): Promise<TemplateState> {
  try {
    return await finder.find();
  } catch (error) {
    if (isProxmoxError(error, "forbidden")) return { kind: "missing" };
    throw error;
  }
}
