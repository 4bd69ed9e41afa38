import { adoptOrphan, adoptOrphans, BerthError, listOrphans, type Orphan } from "@berth/protocol";
import { asked } from "../cluster/question.ts";
import type { Api } from "../http/api.ts";
import { mount, mountLooked } from "../http/mount.ts";
import type { Sandboxes } from "../sandboxes/repository.ts";
import type { SandboxService } from "../sandboxes/service.ts";
import { adopt } from "./adopt.ts";
import type { OrphanLook, Orphans } from "./orphans.ts";
import type { ToldOrphans } from "./told-orphans.ts";

export interface AdoptionRouteDependencies {
  orphans: Orphans;
  toldOrphans: ToldOrphans;
  sandboxes: Sandboxes;
  service: SandboxService;
}

export function adoptionRoutes(
  api: Api,
  { orphans, toldOrphans, sandboxes, service }: AdoptionRouteDependencies,
): void {
  const deps = { sandboxes, service, toldOrphans, clock: api.clock };

  mount(api, listOrphans, async ({ query }) => {
    if (query.told) return { items: [...(await toldOrphans.told(api.db))] };
    const look = await asked(() => orphans.look());
    const away = await outOfSight(look);
    return { items: [...look.found.map(({ orphan }) => orphan), ...away].toSorted((a, b) => a.vmid - b.vmid) };
  });

  mountLooked(
    api,
    adoptOrphan,
    ({ params: { vmid } }) => asked(() => orphans.look({ vmid })),
    async ({ params: { vmid }, caller }, work, look) => {
      const [found] = look.found;
      if (found) return adopt(work, deps, found, caller.user.id);
      const [away] = await outOfSight(look);
      if (away) throw new BerthError("conflict", `${vmid} cannot be adopted: ${away.obstacle}`);
      throw new BerthError("not_found", `${vmid} is no container of this fleet's that belongs to no sandbox.`, {
        hint: "See those that are: berth adopt",
      });
    },
  );

  mountLooked(
    api,
    adoptOrphans,
    () => asked(() => orphans.find()),
    async ({ caller }, work, found) => {
      const items = [];
      for (const one of found) if (one.settings) items.push(await adopt(work, deps, one, caller.user.id));
      return { items };
    },
  );

  /** Those that were told of and cannot be looked at now. */
  async function outOfSight({ unreadable }: OrphanLook): Promise<Orphan[]> {
    const told = unreadable.length === 0 ? [] : await toldOrphans.told(api.db);
    return told
      .filter(({ vmid }) => unreadable.includes(vmid))
      .map((orphan) => ({ ...orphan, obstacle: `Its node ${orphan.node} does not answer.` }));
  }
}
