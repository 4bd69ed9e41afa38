import Type, { type Static } from "typebox";

/**
 * The channel that carries one file into a sandbox: the controller opens it with `fileWriteParamsSchema` and waits for
 * `accepted`, so that a refused file costs no bytes. Then it sends the file's bytes as the window lets it, and the
 * message `end`; the agent answers `written` and closes. A close before that is a cut or a refusal (its code says why),
 * and nothing of the file is left.
 */
export const fileWriteChannelKind = "file.write";

export const fileLimits = {
  /** One file that is dropped on a terminal. */
  droppedBytes: 64 * 1024 * 1024,
  /** A file's name in the request; what it becomes has at most 255 bytes, as file systems want it. */
  nameCharacters: 1024,
} as const;

const byteCount = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });

export const fileWriteParamsSchema = Type.Object({
  /** `dropped`: the folder for dropped files, under this name made safe, with a number where that is taken. */
  place: Type.Literal("dropped"),
  name: Type.String({ minLength: 1, maxLength: fileLimits.nameCharacters }),
  /** More is refused with `payload_too_large`. */
  maxBytes: byteCount,
});
export type FileWriteParams = Static<typeof fileWriteParamsSchema>;

/** From who sends the file: that was all of it, so many bytes. */
export const fileEndSchema = Type.Object({ type: Type.Literal("end"), bytes: byteCount });

/** From who writes it. */
export const fileWriterMessageSchema = Type.Union([
  Type.Object({ type: Type.Literal("accepted") }),
  Type.Object({
    type: Type.Literal("written"),
    /** Absolute, as programs in the sandbox see it; nothing in it can act on a terminal. */
    path: Type.String({ pattern: "^/[^\\u0000-\\u001f\\u007f-\\u009f]*$", maxLength: 4096 }),
    bytes: byteCount,
  }),
]);
export type FileWriterMessage = Static<typeof fileWriterMessageSchema>;
