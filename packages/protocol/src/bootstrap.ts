import Type, { type Static } from "typebox";
import { Value } from "typebox/value";
import { agentConfigSchema } from "./guest.ts";
import { nameSchema } from "./names.ts";

/**
 * SSH subsystem of a fresh clone that runs the bootstrap: `bootstrapRequestText` in, up to its end, and one line of JSON
 * out, a `bootstrapResult` or `{error}`.
 */
export const bootstrapSubsystem = "berth-bootstrap";

/** What an `authorized_keys` file takes as one line, the longest keys of RSA included. */
const authorizedKeySchema = Type.String({ maxLength: 8192, pattern: "^[^\\u0000\\r\\n]+$" });

/** What a clone is to become. Each text has the form in which it can be a line, or lines, of the request. */
export const bootstrapRequestSchema = Type.Object(
  {
    hostname: nameSchema,
    hostKey: Type.Object(
      {
        /** Ends with a newline, as OpenSSH wants it. */
        privateKey: Type.String({
          maxLength: 8192,
          pattern:
            "^-----BEGIN OPENSSH PRIVATE KEY-----\\n(?:[A-Za-z0-9+/=]+\\n)+-----END OPENSSH PRIVATE KEY-----\\n$",
        }),
        publicKey: Type.String({ maxLength: 1024, pattern: "^ssh-ed25519 AAAA[A-Za-z0-9+/]+={0,2}(?: [!-~]+)?$" }),
      },
      { additionalProperties: false },
    ),
    /** One line: the fleet's authority says that the host key is this sandbox's. */
    hostCertificate: Type.String({
      maxLength: 4096,
      pattern: "^ssh-ed25519-cert-v01@openssh\\.com AAAA[A-Za-z0-9+/]+={0,2}(?: [ -~]+)?$",
    }),
    /** The only keys that may sign in from then on. */
    authorizedKeys: Type.Array(authorizedKeySchema, { minItems: 1, maxItems: 1000 }),
    /** The bootstrap adds the machine-id that it finds. */
    agent: Type.Omit(agentConfigSchema, ["machineId"]),
  },
  { additionalProperties: false },
);
export type BootstrapRequest = Static<typeof bootstrapRequestSchema>;

export const bootstrapResultSchema = Type.Object({
  machineId: Type.String({ pattern: "^[0-9a-f]{32}$" }),
  /** Of the programs in the container. */
  agentVersion: Type.String({ minLength: 1, maxLength: 64 }),
  /** Whether the host certificate has its place, too. Templates of before it came into the request do not say. */
  hostCertificate: Type.Optional(Type.Boolean()),
});
export type BootstrapResult = Static<typeof bootstrapResultSchema>;

/** The bootstrap holds a request in memory, and a shell reads it byte by byte. */
const maxRequestCharacters = 4 * 1024 * 1024;

/**
 * A request as the bootstrap reads it, which is a shell program and takes lines: a first one that names the form, then
 * `name value`, then `end`, without which nothing is done. What came into it later follows with an end of its own, where
 * the bootstraps of older templates do not look. Throws `TypeError` if the request is not valid, so that nothing that a
 * line cannot hold is ever sent.
 */
export function bootstrapRequestText(request: BootstrapRequest): string {
  if (!Value.Check(bootstrapRequestSchema, request)) throw new TypeError("the bootstrap request is not valid");
  const lines = [
    "berth-bootstrap 1",
    `hostname ${request.hostname}`,
    ...request.authorizedKeys.map((key) => `authorized-key ${key}`),
    ...request.hostKey.privateKey
      .trimEnd()
      .split("\n")
      .map((line) => `host-key ${line}`),
    `host-key-public ${request.hostKey.publicKey}`,
    `agent ${asciiJson(request.agent)}`,
    "end",
    `host-certificate ${request.hostCertificate}`,
    "end",
  ];
  const text = `${lines.join("\n")}\n`;
  if (text.length > maxRequestCharacters) throw new TypeError("the bootstrap request is too long");
  return text;
}

/** JSON on one line whose every character is a byte. */
function asciiJson(value: unknown): string {
  return JSON.stringify(value).replace(/[\u007f-\uffff]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}
