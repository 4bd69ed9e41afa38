import Type, { type Static } from "typebox";
import { idSchema } from "../names.ts";
import { operationSchema } from "./operations.ts";
import { nullable, route, strictObject } from "./route.ts";
import { sandboxSchema } from "./sandboxes.ts";

/** A container of this fleet's that no sandbox here has, such as after its database was lost. */
export const orphanSchema = Type.Object({
  vmid: Type.Integer(),
  node: Type.String(),
  /** The sandbox that it was, and is again once it is adopted. */
  sandboxId: idSchema,
  /** As its description tells, or its host name. */
  name: nullable(Type.String()),
  /** The name of the user whose it was, as its description tells. */
  owner: nullable(Type.String()),
  /** The id of the template whose disk it shares; null: it has one of its own, or that is not known. */
  template: nullable(Type.Integer()),
  power: Type.Enum(["running", "stopped"]),
  /** Why it cannot be adopted now, a sentence; null: it can. */
  obstacle: nullable(Type.String()),
});
export type Orphan = Static<typeof orphanSchema>;

const adopted = Type.Object({ sandbox: sandboxSchema, operation: operationSchema });

export const listOrphans = route({
  method: "GET",
  path: "/orphans",
  summary: "Containers of this fleet's that belong to no sandbox here",
  tag: "cluster",
  access: "user",
  query: strictObject({
    /** Those that events have told of, without a question to Proxmox: they may be a minute old. */
    told: Type.Optional(Type.Boolean()),
  }),
  status: 200,
  result: Type.Object({ items: Type.Array(orphanSchema) }),
});

export const adoptOrphan = route({
  method: "POST",
  path: "/orphans/:vmid/adopt",
  summary: "Make a sandbox of such a container again: of its owner where there is one of that name, of yours otherwise",
  tag: "cluster",
  access: "user",
  params: strictObject({ vmid: Type.Integer({ minimum: 100, maximum: 999_999_999 }) }),
  idempotent: true,
  status: 202,
  result: adopted,
});

export const adoptOrphans = route({
  method: "POST",
  path: "/orphans/adopt",
  summary: "Make sandboxes of all such containers again that can be adopted",
  tag: "cluster",
  access: "user",
  idempotent: true,
  status: 202,
  result: Type.Object({ items: Type.Array(adopted) }),
});
