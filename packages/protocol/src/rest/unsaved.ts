import Type, { type Static } from "typebox";

/** What is in a sandbox's repository and nowhere else. */
export const unsavedWorkSchema = Type.Object({
  /** False: the sandbox is off, or does not answer; the numbers are 0 then. */
  known: Type.Boolean(),
  /** That no remote has, of all branches. */
  commits: Type.Integer(),
  /** Changed, staged or untracked; ignored files do not count. */
  files: Type.Integer(),
  stashes: Type.Integer(),
  /** Some of the files, for people. */
  paths: Type.Array(Type.String()),
});
export type UnsavedWork = Static<typeof unsavedWorkSchema>;
