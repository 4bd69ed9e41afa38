import Type, { type Static } from "typebox";

/**
 * The channel that carries another version of the agent's programs into a sandbox: the controller opens it with
 * `programsParamsSchema` and sends a gzipped tar of them, as the window lets it. The agent closes it without a code once
 * the version is installed, and ends then for its supervisor to start it; with `update_refused` if that version does not
 * work there. Anything else is a cut, and nothing has changed.
 */
export const programsChannelKind = "programs";

export const programsLimits = { archiveBytes: 16 * 1024 * 1024 } as const;

/** Names a build of the programs: of the same version are the same programs. Never a path. */
export const programsVersionPattern = "^[0-9A-Za-z][0-9A-Za-z.+-]{0,63}$";

export const programsParamsSchema = Type.Object({
  version: Type.String({ pattern: programsVersionPattern }),
  /** Of the archive. */
  bytes: Type.Integer({ minimum: 1, maximum: programsLimits.archiveBytes }),
  /** Of the archive, hexadecimal. */
  sha256: Type.String({ pattern: "^[0-9a-f]{64}$" }),
});
export type ProgramsParams = Static<typeof programsParamsSchema>;
