import Type, { type Static } from "typebox";
import { strictObject } from "./route.ts";

/**
 * A branch's name: what git allows (git-check-ref-format), in ASCII, and nothing that a program could take for an option
 * or a pattern.
 */
export const branchNameSchema = Type.String({
  pattern: "^(?!.*(?:\\.\\.|//|/\\.|@\\{|\\.lock(?:/|$)|[./]$))[A-Za-z0-9_][A-Za-z0-9_./+@#=-]{0,199}$",
  maxLength: 200,
});

/**
 * A git remote: `https://…`, `ssh://…`, `user@host:path`, or the absolute path of a repository on the controller's host
 * below one of the folders that its settings allow. What it must be beyond this is said by the controller's answer.
 */
export const gitUrlSchema = Type.String({
  minLength: 1,
  maxLength: 2048,
  pattern: "^[^\\s\\u0000-\\u001f-][^\\s\\u0000-\\u001f]*$",
});

/** Text that goes into a line of git's configuration, and into commits. */
const identityText = Type.String({
  minLength: 1,
  maxLength: 200,
  pattern: "^[^\\u0000-\\u001f<>]*[^\\u0000-\\u001f<>\\s][^\\u0000-\\u001f<>]*$",
});

/** Whose name new commits in a sandbox bear. */
export const commitAuthorSchema = strictObject({ name: identityText, email: identityText });
export type CommitAuthor = Static<typeof commitAuthorSchema>;

/** A workspace that is a clone of a project, on a branch of its own. */
export const gitWorkspaceSchema = strictObject({
  type: Type.Literal("git"),
  url: gitUrlSchema,
  /** Where the sandbox's branch begins; absent: at the remote's default branch. */
  branch: Type.Optional(branchNameSchema),
  author: Type.Optional(commitAuthorSchema),
});
export type GitWorkspace = Static<typeof gitWorkspaceSchema>;
