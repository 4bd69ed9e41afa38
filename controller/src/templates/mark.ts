import { parseJson, type SkippedPart } from "@berth/protocol";
import Type, { type Static } from "typebox";
import { Value } from "typebox/value";
import type { FleetKeys } from "../fleet/keys.ts";

/** The tag of templates, by which they are found without reading every container's configuration. */
export const templateTag = "berth-template";
/** The host name of a container that becomes a template: it has no tags yet, and is found by this. */
export const templateHostname = "berth-template";

const statementSchema = Type.Object(
  {
    id: Type.String({ pattern: "^tpl_[0-9a-z]{20}$" }),
    vmid: Type.Integer(),
    /** `building`: it is half-built, and nothing is to be cloned from it. */
    state: Type.Enum(["building", "ready"]),
    version: Type.String({ maxLength: 64 }),
    skipped: Type.Array(Type.Object({ name: Type.String(), reason: Type.String() }), { maxItems: 12 }),
    /** Milliseconds since the Unix epoch. */
    builtAt: Type.Integer(),
  },
  { additionalProperties: false },
);

/** What a template says of itself, in its description. */
export type TemplateStatement = Static<typeof statementSchema>;

/** Whose a template is. */
export type TemplateMark =
  | { kind: "ours"; statement: TemplateStatement }
  /** Nothing of Berth's is in it. */
  | { kind: "unmarked" }
  /** Another fleet's, a copy of one of ours, or changed by hand. */
  | { kind: "foreign"; reason: string };

const line = /^(berth-template:1:([0-9a-f]{16}):([A-Za-z0-9_-]{1,7500})):([A-Za-z0-9_-]{86})$/m;
/** Proxmox takes 8 KiB of description. */
const maxReasonChars = 80;
const maxParts = 12;

/** The description of a template: a sentence for people, and a signed line for Berth. */
export function describeTemplate(keys: FleetKeys, statement: TemplateStatement): string {
  const skipped = statement.skipped.slice(0, maxParts).map(shortened);
  const text = JSON.stringify({ ...statement, skipped });
  const signed = `berth-template:1:${keys.fleetId}:${Buffer.from(text).toString("base64url")}`;
  const what =
    statement.state === "ready"
      ? "Berth's template: sandboxes are cloned from it."
      : "Berth builds a template here, and takes it away again if that fails.";
  return `${what} The line below says so: leave it as it is.\n\n${signed}:${keys.sign(signed)}`;
}

function shortened({ name, reason }: SkippedPart): SkippedPart {
  return { name: name.slice(0, 32), reason: reason.slice(0, maxReasonChars) };
}

/** What a container's description says, if this fleet signed it for this very vmid. */
export function readTemplateMark(keys: FleetKeys, description: string | undefined, vmid: number): TemplateMark {
  const [, signed, fleetId, text, signature] = line.exec(description ?? "") ?? [];
  if (!signed || !text || !signature) return { kind: "unmarked" };
  if (fleetId !== keys.fleetId) return { kind: "foreign", reason: "it belongs to another fleet" };
  if (!keys.verify(signed, signature)) return { kind: "foreign", reason: "its mark was not made by this fleet" };
  const statement = parseJson(Buffer.from(text, "base64url").toString("utf8"));
  if (!Value.Check(statementSchema, statement)) return { kind: "foreign", reason: "its mark cannot be read" };
  if (statement.vmid !== vmid) return { kind: "foreign", reason: `it is a copy of the template ${statement.vmid}` };
  return { kind: "ours", statement };
}
