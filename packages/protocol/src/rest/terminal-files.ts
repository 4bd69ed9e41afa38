import Type from "typebox";
import { fileLimits } from "../link/file-write.ts";
import { idSchema } from "../names.ts";
import { route, strictObject } from "./route.ts";

export const dropFile = route({
  method: "POST",
  path: "/terminals/:id/files",
  summary: "Put a file into a terminal's sandbox, and type its path if asked to",
  tag: "terminals",
  access: "user",
  params: strictObject({ id: idSchema }),
  query: strictObject({
    /** What the file is called; made safe, and numbered where another has that name. */
    name: Type.String({ minLength: 1, maxLength: fileLimits.nameCharacters }),
    /** Type the file's path into the terminal, quoted, with a space behind it. */
    type: Type.Optional(Type.Boolean()),
  }),
  upload: { maxBytes: fileLimits.droppedBytes },
  idempotent: true,
  status: 201,
  result: Type.Object({
    /** Where it is in the sandbox, as its programs see it. */
    path: Type.String(),
    bytes: Type.Integer(),
    /** The path was typed; false if that was not asked for, or if the terminal took no input any more. */
    typed: Type.Boolean(),
  }),
});
