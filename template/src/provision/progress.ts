import Type, { type Static } from "typebox";

/** A line of the provisioning script that means something. */
export type ProvisionLine =
  | { readonly kind: "step"; readonly name: string }
  /** The container does without this. */
  | { readonly kind: "skipped"; readonly name: string; readonly reason: string }
  /** Something to know, which changes nothing. */
  | { readonly kind: "note"; readonly text: string }
  /** The script ends: why, and what helps. */
  | { readonly kind: "failed"; readonly reason: string }
  | { readonly kind: "done" };

/** Undefined for what the programs say that the script calls. */
export function parseProvisionLine(line: string): ProvisionLine | undefined {
  const step = /^berth-step: (\S+)$/.exec(line)?.[1];
  if (step !== undefined) return { kind: "step", name: step };
  const [, name, reason] = /^berth-skipped: ([^:]+): (.*)$/.exec(line) ?? [];
  if (name !== undefined && reason !== undefined) return { kind: "skipped", name, reason };
  const note = /^berth-note: (.*)$/.exec(line)?.[1];
  if (note !== undefined) return { kind: "note", text: note };
  const failed = /^berth-failed: (.*)$/.exec(line)?.[1];
  if (failed !== undefined) return { kind: "failed", reason: failed };
  return line === "berth-done" ? { kind: "done" } : undefined;
}

/** A line in words for people; undefined for what goes without saying. */
export function describeProvisionLine(line: ProvisionLine): string | undefined {
  switch (line.kind) {
    case "step":
      return `adding ${line.name}`;
    case "skipped":
      return `goes without ${line.name}: ${line.reason}`;
    case "note":
      return line.text;
    case "failed":
      return `failed: ${line.reason}`;
    case "done":
      return undefined;
  }
}

/** What a template says of itself, in the file `templatePaths.facts`. */
export const templateFactsSchema = Type.Object({
  version: Type.String({ maxLength: 64 }),
  /** ISO 8601. */
  builtAt: Type.String({ maxLength: 64 }),
  /** Docker's version; null where the template has none. */
  docker: Type.Union([Type.String({ maxLength: 64 }), Type.Null()]),
  skipped: Type.Array(Type.Object({ name: Type.String({ maxLength: 64 }), reason: Type.String({ maxLength: 512 }) }), {
    maxItems: 32,
  }),
});
export type TemplateFacts = Static<typeof templateFactsSchema>;
