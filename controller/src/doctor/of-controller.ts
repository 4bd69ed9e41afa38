import { systemClock } from "@berth/base";
import type { Orphans } from "../adoption/orphans.ts";
import type { Cluster } from "../cluster/open.ts";
import type { FleetKeys } from "../fleet/keys.ts";
import type { Settings } from "../settings/settings.ts";
import type { Store } from "../store/connect.ts";
import type { TemplateModule } from "../templates/module.ts";
import { Doctor } from "./doctor.ts";

/** What of a running controller the doctor looks at. */
export interface Patient {
  readonly settings: Settings;
  readonly store: Store;
  readonly cluster: Cluster;
  readonly keys: FleetKeys;
  readonly templates: TemplateModule;
  readonly fleet: { readonly orphans: Orphans };
  readonly agents: { readonly port: number };
}

export function doctorOf({ settings, store, cluster, keys, templates, fleet, agents }: Patient): Doctor {
  const { client, access, pool, storage, agentHost } = cluster;
  const { dataDir, bridge, vlan, size } = settings;
  return new Doctor({
    ...{ client, access, pool, storage, dataDir, bridge, vlan, db: store.db, clock: systemClock },
    ...{ finder: templates.finder, contents: templates.contents, diskGiB: size.diskGiB },
    orphans: async () => (await fleet.orphans.find()).map(({ orphan }) => orphan),
    agents: () => ({
      url: settings.agentUrl,
      host: agentHost ?? "0.0.0.0",
      port: agents.port,
      certificate: keys.listener.certificate,
      local: settings.proxmox === undefined,
    }),
  });
}
