import Type, { type Static } from "typebox";
import { eraseContainer } from "../containers/destroy.ts";
import type { Emulation } from "../emulation.ts";

/** What `POST /_pct` takes. */
export const pctCommandSchema = Type.Object(
  { command: Type.Union([Type.Literal("unlock"), Type.Literal("destroy")]), vmid: Type.Integer({ minimum: 100 }) },
  { additionalProperties: false },
);
export type PctCommand = Static<typeof pctCommandSchema>;

/** Does what root does with `pct` on the host, for things that the API cannot do. Throws what `pct` says. */
export async function runPct(emulation: Emulation, { command, vmid }: PctCommand): Promise<void> {
  const { store, backend } = emulation;
  const container = store.require(vmid);
  if (command === "unlock") {
    delete container.values.lock;
    await store.save(container);
    return;
  }
  if (container.values.lock !== undefined) throw new Error(`CT is locked (${container.values.lock})`);
  if (backend.running(vmid)) throw new Error(`unable to destroy CT ${vmid} - container is running`);
  await eraseContainer(emulation, container);
}
