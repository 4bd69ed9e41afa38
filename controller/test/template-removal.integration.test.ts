import { PassThrough } from "node:stream";
import { newId } from "@berth/protocol";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FreeIds } from "../src/cluster/free-ids.ts";
import { EventLog } from "../src/events/log.ts";
import { createLogger } from "../src/http/logger.ts";
import { inTransaction } from "../src/store/transaction.ts";
import { describeTemplate, templateTag } from "../src/templates/mark.ts";
import { makeTemplateModule, type TemplateModule } from "../src/templates/module.ts";
import { templateVmid } from "./sweep/world/places.ts";
import { World } from "./sweep/world/world.ts";

const node = "pve";
const ownerId = "usr_sweep";

describe("a template that was built", async () => {
  const world = await World.open();
  const { db, pool: connections } = world.store;
  const { client, clock, keys } = world;
  const { pool, bridge, storage } = world.emulator;
  let templates: TemplateModule;
  const old = { id: newId("template"), vmid: 801 };
  const current = { id: newId("template"), vmid: 802 };

  /** As a build leaves it. */
  const make = async ({ id, vmid }: typeof old, builtAt: number) => {
    const at = { node, vmid };
    const done = async (begin: Promise<string>) =>
      expect(await client.tasks.wait(await begin)).toMatchObject({ ok: true });
    await done(client.containers.clone({ node, vmid: templateVmid }, { newId: vmid, hostname: "t", pool, full: true }));
    const description = describeTemplate(keys, { id, vmid, state: "ready", version: "1", skipped: [], builtAt });
    await client.containers.configure(at, { tags: [templateTag], description });
    await client.containers.toTemplate(at);
    await world.until("it is a template", async () =>
      (await client.containers.config(at)).template ? true : undefined,
    );
  };

  beforeAll(async () => {
    await make(old, 1_000);
    await make(current, 2_000);
    templates = makeTemplateModule({
      ...{ db, client, keys, clock, pool, bridge, storage, vlan: undefined },
      freeIds: new FreeIds(db, client),
      events: new EventLog({ db, pool: connections, clock }),
      log: createLogger("error", new PassThrough()),
      templateVmids: [templateVmid],
      mayLackParts: true,
    });
    templates.start();
  });
  afterAll(async () => {
    await templates?.stop();
    await world.close();
  });

  const remove = async (vmid: number) => {
    const all = new Set((await templates.finder.all()).map((one) => one.vmid));
    await inTransaction(db, (work) => templates.service.remove(work, ownerId, { vmid, current: all }));
  };
  const vmids = async () => (await client.cluster.containers()).map(({ vmid }) => vmid);
  const addSandbox = (name: string, placement: { full: boolean; storage: null } | null) =>
    db
      .insertInto("sandboxes")
      .values({
        ...{ id: newId("sandbox"), owner_id: ownerId, name, cores: 1, memory_mib: 512, disk_gib: 4 },
        ...{ workspace: JSON.stringify({ type: "empty" }), env: "{}", desired: "stopped", state: "failed" },
        ...{ template_id: old.id, template_vmid: old.vmid, placement: placement && JSON.stringify(placement) },
      })
      .execute();

  it("stays while it is cloned, and while sandboxes share its disk", async () => {
    await expect(remove(current.vmid)).rejects.toMatchObject({ code: "conflict" });
    await addSandbox("linked", { full: false, storage: null });
    await addSandbox("whole", { full: true, storage: null });
    const shared = await remove(old.vmid).catch((error: unknown) => error);
    expect(shared).toMatchObject({ code: "conflict", message: expect.stringMatching(/linked\.$/) });
    await expect(remove(templateVmid), "which nobody has built").rejects.toMatchObject({ code: "not_found" });
    expect(await vmids()).toEqual(expect.arrayContaining([templateVmid, old.vmid, current.vmid]));
  });

  it("is gone once nothing hangs on it, and nothing else is", async () => {
    await db.deleteFrom("sandboxes").where("name", "=", "linked").execute();
    await remove(old.vmid);
    await world.until("it is gone", async () => ((await vmids()).includes(old.vmid) ? undefined : true));
    expect(await vmids()).toEqual(expect.arrayContaining([templateVmid, current.vmid]));
    await world.until("its row is gone", async () => ((await templates.templates.find(old.id)) ? undefined : true));
    expect((await templates.finder.all()).map(({ vmid }) => vmid)).toEqual([current.vmid]);
    await db.deleteFrom("sandboxes").execute();
  });
});
