import { systemClock } from "@berth/base";
import type { Cluster } from "../cluster/open.ts";
import type { FleetKeys } from "../fleet/keys.ts";
import type { Settings } from "../settings/settings.ts";
import type { Store } from "../store/connect.ts";
import type { TemplateModule } from "../templates/module.ts";
import { Connections } from "./change.ts";
import type { KeptConnection } from "./kept.ts";

/** What of a running controller depends on the Proxmox that is used. */
export interface Dweller {
  readonly given: { readonly settings: Settings; readonly kept: KeptConnection | undefined };
  readonly keys: FleetKeys;
  readonly store: Store;
  readonly cluster: Cluster;
  readonly templates: TemplateModule;
  readonly fleet: { stop(): Promise<void> };
  readonly readiness: { active: boolean };
  /** Aborted when another one is to be used: everything is made anew for that. */
  readonly moving: AbortController;
}

/** The connection to Proxmox. Once it has changed, no container is made or changed by this run any more. */
export function connectionsOf({
  given,
  keys,
  store,
  cluster,
  templates,
  fleet,
  readiness,
  moving,
}: Dweller): Connections {
  return new Connections({
    ...{ ...given, keys, store, cluster, clock: systemClock },
    ...{ templates: templates.templates, contents: templates.contents },
    changed: () => {
      readiness.active = false;
      for (const part of [fleet, templates]) void part.stop().catch(() => {});
      moving.abort(new Error("another Proxmox is to be used"));
    },
  });
}
