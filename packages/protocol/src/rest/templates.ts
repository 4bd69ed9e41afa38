import Type, { type Static } from "typebox";
import { failureSchema } from "../errors.ts";
import { idSchema } from "../names.ts";
import { operationSchema } from "./operations.ts";
import { instantSchema, nullable, route, strictObject } from "./route.ts";

/** A part of the template that was left out of it, and why. */
export const skippedPartSchema = Type.Object({
  name: Type.String({ maxLength: 64 }),
  reason: Type.String({ maxLength: 256 }),
});
export type SkippedPart = Static<typeof skippedPartSchema>;

/** A template that Berth has built. */
export const builtTemplateSchema = Type.Object({
  id: idSchema,
  vmid: Type.Integer(),
  node: Type.String(),
  version: Type.String(),
  builtAt: instantSchema,
  skipped: Type.Array(skippedPartSchema),
  /** New sandboxes are cloned from it. */
  current: Type.Boolean(),
  /** Sandboxes that were cloned from it and are still there. */
  sandboxes: Type.Integer(),
});
export type BuiltTemplate = Static<typeof builtTemplateSchema>;

export const templateSchema = Type.Object({
  vmid: Type.Integer(),
  state: Type.Enum(["ready", "missing", "unusable"]),
  node: nullable(Type.String()),
  name: nullable(Type.String()),
  error: nullable(failureSchema),
  /** What is in it; null where it does not say, as the one that comes with the bundled Proxmox. */
  version: nullable(Type.String()),
  /** What a build would put into it now; null where this controller cannot build. */
  latestVersion: nullable(Type.String()),
  /** A build would put something else into it. */
  outdated: Type.Boolean(),
  builtAt: nullable(instantSchema),
  skipped: Type.Array(skippedPartSchema),
  /** The operation that builds one at this moment. */
  build: nullable(idSchema),
  /** The operation that built one last, however it ended; null: none is remembered. */
  lastBuild: nullable(idSchema),
  /** Those that were built, the newest first. An old one stays for the sandboxes that share its disk, until it is deleted. */
  templates: Type.Array(builtTemplateSchema),
});
export type Template = Static<typeof templateSchema>;

export const getTemplate = route({
  method: "GET",
  path: "/template",
  summary: "The container that sandboxes are cloned from",
  tag: "cluster",
  access: "user",
  status: 200,
  result: templateSchema,
});

const proxmoxName = Type.String({ pattern: "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$" });

/** Where a template is built; what is absent is chosen. */
export const templateWishSchema = strictObject({
  node: Type.Optional(Type.String({ pattern: "^[A-Za-z0-9][A-Za-z0-9-]{0,62}$" })),
  /** The storage of its disk. Linked clones, which take no time and no space, need one that can make them. */
  storage: Type.Optional(proxmoxName),
  bridge: Type.Optional(proxmoxName),
  /** Its id; a build that names one that is taken fails. */
  vmid: Type.Optional(Type.Integer({ minimum: 100, maximum: 999_999_999 })),
});
export type TemplateWish = Static<typeof templateWishSchema>;

export const buildTemplate = route({
  method: "POST",
  path: "/template/build",
  summary: "Build a template beside the present one; when it is done, new sandboxes are cloned from it",
  tag: "cluster",
  access: "user",
  body: templateWishSchema,
  idempotent: true,
  status: 202,
  result: Type.Object({ operation: operationSchema }),
});

export const deleteTemplate = route({
  method: "DELETE",
  path: "/template/:vmid",
  summary: "Remove a template that Berth has built, that is cloned no more, and that no sandbox shares its disk with",
  tag: "cluster",
  access: "user",
  params: strictObject({ vmid: Type.Integer({ minimum: 100, maximum: 999_999_999 }) }),
  /** It is used no more; its container is removed right after. */
  status: 204,
});
