import Type, { type Static } from "typebox";
import { idSchema, nameSchema, referenceSchema } from "../names.ts";
import { instantSchema, nullable, pageOf, pageQuerySchema, route, strictObject } from "./route.ts";

/** The user name of the gateway itself: lists sandboxes, and is jumped through. Any other names a sandbox. */
export const gatewayUser = "berth";
/** Behind a sandbox's name in the user name: its Claude instead of a shell, `NAME+claude`. */
export const claudeSuffix = "+claude";

const publicKeySchema = Type.String({ pattern: "^ssh-ed25519 AAAA[A-Za-z0-9+/]+={0,2}$" });
const portSchema = Type.Integer({ minimum: 1, maximum: 65_535 });

export const sshGatewaySchema = Type.Object({
  /** As this call reached the controller. */
  host: Type.String(),
  port: portSchema,
  /** Whom to sign in as to list sandboxes and to jump through (`ssh -J`). */
  user: Type.String(),
  /** The gateway's own host key; it has no certificate. */
  hostKey: publicKeySchema,
  hostKeyFingerprint: Type.String(),
  /** A line of `known_hosts` for the gateway. */
  gatewayKnownHosts: Type.String(),
  /** Signs the sandboxes' host keys: for `@cert-authority NAMES` before it, in `known_hosts`. */
  certAuthority: publicKeySchema,
});
export type SshGateway = Static<typeof sshGatewaySchema>;

export const sshGateway = route({
  method: "GET",
  path: "/ssh",
  summary: "How to reach sandboxes by SSH, and the keys by which they are known",
  tag: "ssh",
  access: "user",
  status: 200,
  result: sshGatewaySchema,
});

export const sandboxSshSchema = Type.Object({
  /** Null: the container has had no address yet. */
  address: nullable(Type.String()),
  port: portSchema,
  /** Whom to sign in as in the sandbox. */
  user: Type.String(),
  hostKey: publicKeySchema,
  hostKeyFingerprint: Type.String(),
  /** The names for which its host certificate is made. */
  principals: Type.Array(Type.String()),
  /** A line of `known_hosts` that pins its key under those names, for who does not trust the authority. */
  knownHosts: Type.String(),
});
export type SandboxSsh = Static<typeof sandboxSshSchema>;

export const sandboxSsh = route({
  method: "GET",
  path: "/sandboxes/:id/ssh",
  summary: "A sandbox's own SSH server, for those who reach its address",
  tag: "ssh",
  access: "user",
  params: strictObject({ id: referenceSchema }),
  status: 200,
  result: sandboxSshSchema,
});

export const sshSessionSchema = Type.Object({
  id: idSchema,
  /**
   * Null: the connection was to the gateway itself, or to no sandbox of its user's. What jumps through the gateway (`ssh -J`)
   * is a session of its own, to the sandbox that it reaches.
   */
  sandboxId: nullable(idSchema),
  sandboxName: nullable(nameSchema),
  /** The user name that was signed in with. */
  login: Type.String(),
  keyFingerprint: Type.String(),
  remoteAddress: Type.String(),
  /** What the client calls itself. */
  client: Type.String(),
  startedAt: instantSchema,
  /** Null: it is open. */
  endedAt: nullable(instantSchema),
  /** Why it ended; null while it is open. */
  endReason: nullable(Type.String()),
  /** Bytes in channels, from the client and to it. */
  bytesIn: Type.Integer({ minimum: 0 }),
  bytesOut: Type.Integer({ minimum: 0 }),
  /** How many channels of each kind were opened: `shell`, `exec`, `sftp`, `direct-tcpip` and so on. */
  channels: Type.Record(Type.String(), Type.Integer({ minimum: 0 })),
});
export type SshSession = Static<typeof sshSessionSchema>;

export const listSshSessions = route({
  method: "GET",
  path: "/ssh-sessions",
  summary: "Your connections through the SSH gateway, the newest first",
  tag: "ssh",
  access: "user",
  query: Type.Object(
    { ...pageQuerySchema.properties, sandbox: Type.Optional(referenceSchema) },
    { additionalProperties: false },
  ),
  status: 200,
  result: pageOf(sshSessionSchema),
});
