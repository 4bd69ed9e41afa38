import Type, { type Static } from "typebox";
import { environmentSchema } from "./guest.ts";
import { terminalKindSchema } from "./link/interfaces.ts";
import { conversationIdSchema } from "./names.ts";

/** How a terminal was asked for: what it takes to start it anew. */
export const terminalRecordSchema = Type.Object({
  kind: terminalKindSchema,
  argv: Type.Optional(Type.Array(Type.String(), { minItems: 1 })),
  cwd: Type.Optional(Type.String()),
  env: environmentSchema,
  conversationId: Type.Optional(conversationIdSchema),
  forkOf: Type.Optional(conversationIdSchema),
});
export type TerminalRecord = Static<typeof terminalRecordSchema>;

/** The file `guestPaths.terminalRegistry`: what each terminal of the sandbox runs. The agent writes it. */
export const terminalRegistrySchema = Type.Object({
  version: Type.Literal(1),
  /** Whose terminals they are; earlier agents did not say. */
  sandboxId: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
  terminals: Type.Record(Type.String(), terminalRecordSchema),
});
