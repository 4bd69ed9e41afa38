import Type, { type Static } from "typebox";
import { idSchema } from "../names.ts";
import { instantSchema, nullable, pageOf, pageQuerySchema, route, strictObject } from "./route.ts";

export const userSchema = Type.Object({ id: idSchema, username: Type.String(), role: Type.Literal("admin") });
export type User = Static<typeof userSchema>;

const usernameSchema = Type.String({ minLength: 1, maxLength: 64 });
/** Long passwords cost hashing time: the bound keeps that small. */
export const passwordLimits = { minLength: 10, maxLength: 256 } as const;
export const newPasswordSchema = Type.String(passwordLimits);

const session = Type.Object({ token: Type.String(), user: userSchema });

export const login = route({
  method: "POST",
  path: "/auth/login",
  summary: "Sign in; answers a token and sets the console's cookie",
  tag: "auth",
  access: "public",
  body: strictObject({ username: usernameSchema, password: Type.String({ minLength: 1, maxLength: 256 }) }),
  status: 200,
  result: session,
});

export const setupStatus = route({
  method: "GET",
  path: "/auth/setup",
  summary: "Whether the admin's password is still to be set",
  tag: "auth",
  access: "public",
  status: 200,
  result: Type.Object({ required: Type.Boolean() }),
});

export const setup = route({
  method: "POST",
  path: "/auth/setup",
  summary: "Set the admin's password with the token of the one-time set-up link, and sign in",
  tag: "auth",
  access: "public",
  body: strictObject({ token: Type.String({ minLength: 16, maxLength: 128 }), password: newPasswordSchema }),
  status: 200,
  result: session,
});

export const logout = route({
  method: "POST",
  path: "/auth/logout",
  summary: "End this session",
  tag: "auth",
  access: "user",
  status: 204,
});

export const me = route({
  method: "GET",
  path: "/auth/me",
  summary: "Who is signed in",
  tag: "auth",
  access: "user",
  status: 200,
  result: userSchema,
});

export const tokenSchema = Type.Object({
  id: idSchema,
  name: Type.String(),
  createdAt: instantSchema,
  lastUsedAt: nullable(instantSchema),
  expiresAt: nullable(instantSchema),
});
export type Token = Static<typeof tokenSchema>;
const labelSchema = Type.String({ minLength: 1, maxLength: 100, pattern: "^[^\\u0000-\\u001f\\u007f]+$" });
const byId = strictObject({ id: idSchema });

export const listTokens = route({
  method: "GET",
  path: "/auth/tokens",
  summary: "Your API tokens",
  tag: "auth",
  access: "user",
  query: pageQuerySchema,
  status: 200,
  result: pageOf(tokenSchema),
});

export const createToken = route({
  method: "POST",
  path: "/auth/tokens",
  summary: "Make an API token; its secret is shown this once",
  tag: "auth",
  access: "user",
  body: strictObject({
    name: labelSchema,
    /** Days until it expires; never if absent. */
    expiresInDays: Type.Optional(Type.Integer({ minimum: 1, maximum: 3650 })),
  }),
  status: 201,
  result: Type.Object({ ...tokenSchema.properties, token: Type.String() }),
});

export const deleteToken = route({
  method: "DELETE",
  path: "/auth/tokens/:id",
  summary: "Revoke an API token",
  tag: "auth",
  access: "user",
  params: byId,
  status: 204,
});

export const sshKeySchema = Type.Object({
  id: idSchema,
  name: Type.String(),
  publicKey: Type.String(),
  fingerprint: Type.String(),
  createdAt: instantSchema,
});
export type SshKey = Static<typeof sshKeySchema>;

export const listKeys = route({
  method: "GET",
  path: "/auth/keys",
  summary: "Your SSH keys",
  tag: "auth",
  access: "user",
  query: pageQuerySchema,
  status: 200,
  result: pageOf(sshKeySchema),
});

export const createKey = route({
  method: "POST",
  path: "/auth/keys",
  summary: "Register an SSH public key",
  tag: "auth",
  access: "user",
  body: strictObject({ name: Type.Optional(labelSchema), publicKey: Type.String({ minLength: 20, maxLength: 8192 }) }),
  status: 201,
  result: sshKeySchema,
});

export const deleteKey = route({
  method: "DELETE",
  path: "/auth/keys/:id",
  summary: "Remove an SSH public key",
  tag: "auth",
  access: "user",
  params: byId,
  status: 204,
});
