import Type, { type Static } from "typebox";
import { eraseContainer } from "../containers/destroy.ts";
import { startMigration } from "../containers/migrate.ts";
import { type Emulation, onNode } from "../emulation.ts";

const vmid = Type.Integer({ minimum: 100 });

/** What `POST /_pct` takes. */
export const pctCommandSchema = Type.Union([
  Type.Object(
    { command: Type.Union([Type.Literal("unlock"), Type.Literal("destroy")]), vmid },
    { additionalProperties: false },
  ),
  Type.Object(
    { command: Type.Literal("migrate"), vmid, target: Type.String(), restart: Type.Optional(Type.Boolean()) },
    { additionalProperties: false },
  ),
]);
export type PctCommand = Static<typeof pctCommandSchema>;

/** Does what root does with `pct` on the host, for things that the API cannot do. Throws what `pct` says. */
export async function runPct(emulation: Emulation, order: PctCommand): Promise<void> {
  const { store, backend } = emulation;
  const { command, vmid } = order;
  const container = store.require(vmid);
  if (order.command === "migrate") {
    const { target, restart = false } = order;
    const here = onNode(emulation, container.node ?? store.node);
    const caller = { userid: "root@pam", id: "root@pam" };
    await here.tasks.ended(await startMigration(here, vmid, { target, restart }, caller));
    return;
  }
  if (command === "unlock") {
    delete container.values.lock;
    await store.save(container);
    return;
  }
  if (container.values.lock !== undefined) throw new Error(`CT is locked (${container.values.lock})`);
  if (backend.running(vmid)) throw new Error(`unable to destroy CT ${vmid} - container is running`);
  await eraseContainer(emulation, container);
}
