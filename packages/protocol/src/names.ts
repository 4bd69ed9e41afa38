import Type from "typebox";

const patterns = {
  name: "^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$",
  id: "^[a-z]{2,4}_[0-9a-z]{20}$",
  reference: "^[a-z0-9][a-z0-9_-]{0,62}$",
  conversationId: "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
} as const;

/** A DNS label (RFC 1123): what a sandbox may be called. It has no underscore, so it never looks like an id. */
export const nameSchema = Type.String({ pattern: patterns.name, maxLength: 63 });

/** The prefixes of ids; an id is `<prefix>_<20 letters and digits>`. */
export const idPrefixes = {
  sandbox: "sbx",
  operation: "op",
  terminal: "trm",
  user: "usr",
  token: "tok",
  sshKey: "key",
  template: "tpl",
  share: "shr",
  sshSession: "ssh",
  project: "prj",
  keptWork: "kept",
} as const;
export type IdKind = keyof typeof idPrefixes;

export const idSchema = Type.String({ pattern: patterns.id, maxLength: 32 });
/** A sandbox by its id or its name. */
export const referenceSchema = Type.String({ pattern: patterns.reference, maxLength: 63 });
/** Claude's own session id. */
export const conversationIdSchema = Type.String({
  pattern: patterns.conversationId,
  maxLength: 36,
});

/** What is wrong with a text that does not match, by pattern: people do not read those. */
export const patternWords: Readonly<Record<string, string>> = {
  [patterns.name]: "must be of lower-case letters, digits and -, neither beginning nor ending with -",
  [patterns.id]: "must be an id, letters and _ and 20 more characters",
  [patterns.reference]: "must be a name or an id",
  [patterns.conversationId]: "must be a UUID",
};

const alphabet = "0123456789abcdefghijklmnopqrstuvwxyz";

/** A new id with 103 random bits. */
export function newId(kind: IdKind): string {
  const id: string[] = [];
  // Bytes of 252 and above would favour the first letters of the alphabet.
  while (id.length < 20) {
    for (const byte of crypto.getRandomValues(new Uint8Array(32))) {
      if (byte < 252 && id.length < 20) id.push(alphabet[byte % 36] as string);
    }
  }
  return `${idPrefixes[kind]}_${id.join("")}`;
}
