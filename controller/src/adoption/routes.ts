import { adoptOrphan, adoptOrphans, BerthError, listOrphans } from "@berth/protocol";
import { asked } from "../cluster/question.ts";
import type { Api } from "../http/api.ts";
import { mount, mountTransactional } from "../http/mount.ts";
import type { Sandboxes } from "../sandboxes/repository.ts";
import type { SandboxService } from "../sandboxes/service.ts";
import { adopt } from "./adopt.ts";
import type { Orphans } from "./orphans.ts";

export interface AdoptionRouteDependencies {
  orphans: Orphans;
  sandboxes: Sandboxes;
  service: SandboxService;
}

export function adoptionRoutes(api: Api, { orphans, sandboxes, service }: AdoptionRouteDependencies): void {
  const deps = { sandboxes, service, clock: api.clock };

  mount(api, listOrphans, async () => ({
    items: (await asked(() => orphans.find())).map(({ orphan }) => orphan),
  }));

  mountTransactional(api, adoptOrphan, async ({ params: { vmid }, caller }, work) => {
    const [found] = await asked(() => orphans.find(vmid));
    if (!found) {
      throw new BerthError("not_found", `${vmid} is no container of this fleet's that belongs to no sandbox.`, {
        hint: "See those that are: berth adopt",
      });
    }
    return adopt(work, deps, found, caller.user.id);
  });

  mountTransactional(api, adoptOrphans, async ({ caller }, work) => {
    const items = [];
    for (const found of await asked(() => orphans.find())) items.push(await adopt(work, deps, found, caller.user.id));
    return { items };
  });
}
