import Type, { type Static } from "typebox";
import { doctorCheckSchema } from "./doctor.ts";
import { instantSchema, nullable, route, strictObject } from "./route.ts";
import { vlanSchema } from "./sandboxes.ts";

const urlPattern = "^https://[^\\s/,@]+(/[^\\s,@]*)?$";
const namePattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$";

/** An address of a Proxmox node: `https://192.168.1.2:8006`. */
export const proxmoxUrlSchema = Type.String({ minLength: 9, maxLength: 512, pattern: urlPattern });
/** The id of an API token: `berth@pve!berth`. */
export const proxmoxTokenIdSchema = Type.String({ maxLength: 256, pattern: "^[^@!\\s=]+@[^@!\\s=]+![^@!\\s=]+$" });
/** The secret of an API token. */
export const proxmoxTokenSecretSchema = Type.String({
  pattern: "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$",
});
/** The SHA-256 of a certificate, with or without colons. */
export const proxmoxFingerprintSchema = Type.String({ pattern: "^([0-9a-fA-F]{2}:?){31}[0-9a-fA-F]{2}$" });
/** The name of a pool, a storage or a bridge. */
export const proxmoxNameSchema = Type.String({ pattern: namePattern });

/** How many nodes of a cluster can be named. */
export const maxProxmoxUrls = 16;

/** The Proxmox that is used, and where that is said. */
export const connectionSchema = Type.Object({
  /** `environment`: PROXMOX_URL, which the console cannot change; `kept`: saved here; `bundled`: the one on this machine. */
  source: Type.Enum(["environment", "kept", "bundled"]),
  urls: Type.Array(Type.String()),
  tokenId: Type.String(),
  /** SHA-256 of the certificates that are believed, `AA:BB:…`; none: the system's authorities decide. */
  fingerprints: Type.Array(Type.String()),
  pool: nullable(Type.String()),
  storage: nullable(Type.String()),
  bridge: nullable(Type.String()),
  vlan: nullable(Type.Integer()),
  /** When it was saved; null where it was not. */
  savedAt: nullable(instantSchema),
  /** Sandboxes, members of the warm pool and builds that are on it: another Proxmox can be used once there are none. */
  occupants: Type.Integer(),
});
export type Connection = Static<typeof connectionSchema>;

/** A connection that somebody proposes. */
export const proposalSchema = strictObject({
  /** Nodes of one cluster, tried in turn. */
  urls: Type.Array(proxmoxUrlSchema, { minItems: 1, maxItems: maxProxmoxUrls }),
  tokenId: proxmoxTokenIdSchema,
  tokenSecret: proxmoxTokenSecretSchema,
  /** Confirmed by a person; none: the system's authorities vouch for each. */
  fingerprints: Type.Array(proxmoxFingerprintSchema, { maxItems: maxProxmoxUrls }),
  pool: Type.Optional(proxmoxNameSchema),
  storage: Type.Optional(proxmoxNameSchema),
  bridge: Type.Optional(proxmoxNameSchema),
  vlan: Type.Optional(vlanSchema),
});
export type Proposal = Static<typeof proposalSchema>;

/** The certificate that an address shows. */
export const certificateSchema = Type.Object({
  /** `https://host:port` */
  address: Type.String(),
  /** SHA-256, `AA:BB:…`. */
  fingerprint: Type.String(),
  subject: Type.String(),
  issuer: Type.String(),
  validFrom: instantSchema,
  validTo: instantSchema,
  /** Why the authorities that the controller's machine knows do not vouch for it; null: they do. */
  distrust: nullable(Type.String()),
});
export type Certificate = Static<typeof certificateSchema>;

/** What was found of a proposed connection. */
export const examinationSchema = Type.Object({
  checks: Type.Array(doctorCheckSchema),
  /** Nothing keeps it from being used. What a template lacks does not: it is built afterwards. */
  usable: Type.Boolean(),
  /** What the token sees and sandboxes could use; empty where it could not be asked. */
  pools: Type.Array(Type.String()),
  storages: Type.Array(Type.String()),
  bridges: Type.Array(Type.String()),
  /** Lines for a shell of a Proxmox host that give the token all that it needs there; null: it lacks nothing. */
  grants: nullable(Type.String()),
});
export type Examination = Static<typeof examinationSchema>;

export const getConnection = route({
  method: "GET",
  path: "/proxmox",
  summary: "Which Proxmox is used, and where that is said; never the token's secret",
  tag: "cluster",
  access: "user",
  status: 200,
  result: connectionSchema,
});

export const lookAtProxmox = route({
  method: "POST",
  path: "/proxmox/look",
  summary: "Look at the certificate that an address shows; nothing is sent there but the TLS handshake",
  tag: "cluster",
  access: "user",
  body: strictObject({ url: proxmoxUrlSchema }),
  status: 200,
  result: certificateSchema,
});

export const examineConnection = route({
  method: "POST",
  path: "/proxmox/check",
  summary: "Try a connection, and say what it lacks and how to mend that; nothing is saved",
  tag: "cluster",
  access: "user",
  body: proposalSchema,
  status: 200,
  result: examinationSchema,
});

export const saveConnection = route({
  method: "PUT",
  path: "/proxmox",
  summary: "Use another Proxmox from now on: it is checked again and kept, and the controller restarts itself with it",
  tag: "cluster",
  access: "user",
  body: proposalSchema,
  status: 202,
});

export const forgetConnection = route({
  method: "DELETE",
  path: "/proxmox",
  summary: "Use the bundled Proxmox again: what was saved is deleted, and the controller restarts itself",
  tag: "cluster",
  access: "user",
  status: 202,
});

/** What goes into the lines that prepare a Proxmox. */
export const preparationQuerySchema = strictObject({
  tokenId: Type.Optional(proxmoxTokenIdSchema),
  pool: Type.Optional(proxmoxNameSchema),
});

export const getPreparation = route({
  method: "GET",
  path: "/proxmox/preparation",
  summary: "The lines for a shell of a Proxmox host that make a user, a pool, a role and an API token for Berth",
  tag: "cluster",
  access: "user",
  query: preparationQuerySchema,
  status: 200,
  result: Type.Object({ tokenId: Type.String(), pool: Type.String(), lines: Type.String() }),
});
