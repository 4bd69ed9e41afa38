import Type, { type Static } from "typebox";
import { attachLimits, attachQuerySchema, terminalSizeFields } from "../attach.ts";
import { idSchema } from "../names.ts";
import { instantSchema, nullable, pageOf, pageQuerySchema, route, strictObject } from "./route.ts";
import { sandboxSchema } from "./sandboxes.ts";
import { terminalSchema } from "./terminals.ts";

/** How long a share may last, in seconds. */
export const shareLifetimes = { minSeconds: 60, defaultSeconds: 86_400, maxSeconds: 30 * 86_400 } as const;

/** The page of a share's link; the token follows as a fragment, which no server and no other page is told. */
export const sharePagePath = "/share";

/** A share as its owner sees it. */
export const shareSchema = Type.Object({
  id: idSchema,
  terminalId: idSchema,
  name: Type.String(),
  createdAt: instantSchema,
  expiresAt: instantSchema,
  /** When a guest last came by it, to the minute. */
  lastUsedAt: nullable(instantSchema),
  /** Guests who look at this moment. */
  guests: Type.Integer(),
});
export type Share = Static<typeof shareSchema>;

/** What a guest is told: no more than what the link is for. */
export const sharedTerminalSchema = Type.Object({
  /** The share's own id; a guest learns no other. */
  shareId: idSchema,
  name: Type.String(),
  /** Who shares it. */
  sharedBy: Type.String(),
  expiresAt: instantSchema,
  title: Type.String(),
  ...terminalSizeFields,
  state: terminalSchema.properties.state,
  /** Whether there is something to see: a terminal that runs in a sandbox that is asleep shows nothing. */
  sandboxState: sandboxSchema.properties.state,
});
export type SharedTerminal = Static<typeof sharedTerminalSchema>;

const ofTerminal = strictObject({ id: idSchema });
const byId = strictObject({ id: idSchema });

export const createShare = route({
  method: "POST",
  path: "/terminals/:id/shares",
  summary: "Make a link by which others can look at a terminal; it is shown this once",
  tag: "shares",
  access: "user",
  params: ofTerminal,
  body: strictObject({
    expiresInSeconds: Type.Optional(
      Type.Integer({ minimum: shareLifetimes.minSeconds, maximum: shareLifetimes.maxSeconds }),
    ),
    /** For whom or what it is. */
    name: Type.Optional(Type.String({ maxLength: 100, pattern: "^[^\\u0000-\\u001f\\u007f]*$" })),
  }),
  status: 201,
  result: Type.Object({ ...shareSchema.properties, url: Type.String() }),
});

export const listShares = route({
  method: "GET",
  path: "/terminals/:id/shares",
  summary: "The shares of a terminal that are in force",
  tag: "shares",
  access: "user",
  params: ofTerminal,
  query: pageQuerySchema,
  status: 200,
  result: pageOf(shareSchema),
});

export const deleteShare = route({
  method: "DELETE",
  path: "/terminals/:id/shares/:shareId",
  summary: "Revoke a share; whoever looks by it is cut off at once",
  tag: "shares",
  access: "user",
  params: strictObject({ id: idSchema, shareId: idSchema }),
  status: 204,
});

export const openShare = route({
  method: "POST",
  path: "/shares/open",
  summary: "Come as a guest with the token of a share's link; sets a cookie for the calls below",
  tag: "shares",
  access: "public",
  body: strictObject({ token: Type.String({ minLength: 16, maxLength: 128 }) }),
  status: 200,
  result: sharedTerminalSchema,
});

export const getShare = route({
  method: "GET",
  path: "/shares/:id",
  summary: "What a guest looks at, and whether the share is still in force",
  tag: "shares",
  access: "guest",
  params: byId,
  status: 200,
  result: sharedTerminalSchema,
});

export const attachShare = route({
  method: "GET",
  path: "/shares/:id/attach",
  summary: "A shared terminal's output, over a WebSocket; input and sizes are refused",
  tag: "shares",
  access: "guest",
  params: byId,
  query: Type.Object({
    from: attachQuerySchema.properties.from,
    scrollback: Type.Optional(Type.Integer({ minimum: 0, maximum: attachLimits.defaultScrollbackLines })),
  }),
  status: 200,
  stream: "websocket",
});
