import Type, { type Static } from "typebox";

/**
 * The channel of one conversation of a sandbox's git with the remote of its project. The agent opens it with
 * `gitRemoteParamsSchema`, and waits for `ready`: a close with a code before that says why there is none. Then the bytes
 * are those of git's own protocol, version 0, of `upload-pack` or `receive-pack`. The agent says `end` when its git has no
 * more to say; the controller closes without a code behind its own last byte.
 *
 * Which remote that is follows from the sandbox alone: nothing that comes from it can name another.
 */
export const gitRemoteChannelKind = "git-remote";

export const gitRemoteLimits = {
  /** Conversations of one sandbox at a time. */
  channels: 3,
} as const;

export const gitRemoteServices = ["upload-pack", "receive-pack"] as const;
export type GitRemoteService = (typeof gitRemoteServices)[number];

export const gitRemoteParamsSchema = Type.Object({
  service: Type.Enum(gitRemoteServices),
  /** What git in the sandbox takes for the remote's URL. It chooses nothing: another than the project's is refused. */
  url: Type.String({ maxLength: 4096 }),
});
export type GitRemoteParams = Static<typeof gitRemoteParamsSchema>;
