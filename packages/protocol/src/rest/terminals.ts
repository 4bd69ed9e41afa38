import Type, { type Static } from "typebox";
import { attentionSchema } from "../activity.ts";
import { attachQuerySchema, terminalExitSchema, terminalSizeFields } from "../attach.ts";
import { keySchema } from "../keys.ts";
import { awaitedScreenSchema, screenSchema, terminalKindSchema } from "../link/interfaces.ts";
import { conversationIdSchema, idSchema, referenceSchema } from "../names.ts";
import { asciicastMediaType } from "../recording.ts";
import { screenWaitQuerySchema } from "../screen-wait.ts";
import { instantSchema, nullable, pageOf, pageQuerySchema, route, strictObject } from "./route.ts";

export const terminalSchema = Type.Object({
  id: idSchema,
  sandboxId: idSchema,
  kind: terminalKindSchema,
  state: Type.Enum(["starting", "running", "exited"]),
  exit: nullable(terminalExitSchema),
  ...terminalSizeFields,
  epoch: Type.Integer(),
  offset: Type.Integer(),
  title: Type.String(),
  /** What Claude does in it; null where none runs, or nothing is known of it. */
  attention: nullable(attentionSchema),
  conversationId: nullable(conversationIdSchema),
  argv: nullable(Type.Array(Type.String())),
  cwd: nullable(Type.String()),
  createdAt: instantSchema,
});
export type Terminal = Static<typeof terminalSchema>;

const byId = strictObject({ id: idSchema });
const ofSandbox = strictObject({ id: referenceSchema });
const noNul = "^[^\\u0000]*$";

export const listTerminals = route({
  method: "GET",
  path: "/sandboxes/:id/terminals",
  summary: "The terminals of a sandbox",
  tag: "terminals",
  access: "user",
  params: ofSandbox,
  query: pageQuerySchema,
  status: 200,
  result: pageOf(terminalSchema),
});

export const createTerminal = route({
  method: "POST",
  path: "/sandboxes/:id/terminals",
  summary: "Open a terminal with Claude, a shell or a program",
  tag: "terminals",
  access: "user",
  params: ofSandbox,
  idempotent: true,
  body: strictObject({
    kind: terminalKindSchema,
    /** The program and its arguments, for `exec`. */
    argv: Type.Optional(Type.Array(Type.String({ maxLength: 32_768, pattern: noNul }), { minItems: 1, maxItems: 256 })),
    /** Absolute, or relative to the workspace. */
    cwd: Type.Optional(Type.String({ minLength: 1, maxLength: 4096, pattern: noNul })),
    cols: Type.Optional(terminalSizeFields.cols),
    rows: Type.Optional(terminalSizeFields.rows),
    /** For `claude`: the conversation to go on with. */
    resume: Type.Optional(conversationIdSchema),
  }),
  status: 201,
  result: terminalSchema,
});

export const getTerminal = route({
  method: "GET",
  path: "/terminals/:id",
  summary: "A terminal",
  tag: "terminals",
  access: "user",
  params: byId,
  status: 200,
  result: terminalSchema,
});

export const deleteTerminal = route({
  method: "DELETE",
  path: "/terminals/:id",
  summary: "End a terminal's program and forget the terminal",
  tag: "terminals",
  access: "user",
  params: byId,
  status: 204,
});

export const attachTerminal = route({
  method: "GET",
  path: "/terminals/:id/attach",
  summary: "A terminal's bytes, both ways, over a WebSocket",
  tag: "terminals",
  access: "user",
  params: byId,
  query: attachQuerySchema,
  status: 200,
  stream: "websocket",
});

/** With `waitFor`, the answer comes when that holds or the time is over, and has `matched` and `state`. */
const screenAnswerSchema = Type.Object({
  ...screenSchema.properties,
  matched: Type.Optional(awaitedScreenSchema.properties.matched),
  state: Type.Optional(awaitedScreenSchema.properties.state),
});

export const terminalInput = route({
  method: "POST",
  path: "/terminals/:id/input",
  summary: "Type a text into a terminal, for scripts; with waitFor, wait for what comes of it",
  tag: "terminals",
  access: "user",
  params: byId,
  query: screenWaitQuerySchema,
  idempotent: true,
  body: strictObject({
    text: Type.Optional(Type.String({ maxLength: 262_144 })),
    /** Pressed after the text: `C-c`, `Up`, `Enter`. */
    keys: Type.Optional(Type.Array(keySchema, { maxItems: 1000 })),
    /** Press Enter after it. */
    submit: Type.Optional(Type.Boolean()),
  }),
  status: 200,
  result: screenAnswerSchema,
  mayBeEmpty: true,
});

export const terminalScreen = route({
  method: "GET",
  path: "/terminals/:id/screen",
  summary: "A terminal's screen as text, for scripts; with waitFor, as soon as that holds",
  tag: "terminals",
  access: "user",
  params: byId,
  query: screenWaitQuerySchema,
  status: 200,
  result: screenAnswerSchema,
});

export const terminalRecording = route({
  method: "GET",
  path: "/terminals/:id/recording",
  summary: "A terminal's output with its times, as asciicast v3",
  tag: "terminals",
  access: "user",
  params: byId,
  query: strictObject({
    /** One life of the terminal alone; all that are kept if absent. */
    epoch: Type.Optional(Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER })),
  }),
  status: 200,
  stream: "download",
  mediaType: asciicastMediaType,
});
