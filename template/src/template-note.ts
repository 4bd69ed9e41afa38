import { parseJson } from "@berth/protocol";
import { Value } from "typebox/value";
import { type TemplateFacts, templateFactsSchema } from "./provision/progress.ts";

const noteLine = /(?:^|\s)berth-template-contents:([A-Za-z0-9+/]{1,7000}={0,2})(?:\s|$)/;

/**
 * What a template that the controller did not build says in its configuration of what is in it: the file
 * `templatePaths.facts`, in base64. It is not signed, so it is for people to read, and nothing is decided by it.
 */
export function templateNote(facts: TemplateFacts): string {
  return `berth-template-contents:${Buffer.from(JSON.stringify(facts)).toString("base64")}`;
}

/** Finds such a note in a text; undefined where there is none, or none that can be read. */
export function readTemplateNote(text: string): TemplateFacts | undefined {
  const [, encoded] = noteLine.exec(text) ?? [];
  if (encoded === undefined) return undefined;
  const facts = parseJson(Buffer.from(encoded, "base64").toString("utf8"));
  return Value.Check(templateFactsSchema, facts) && !Number.isNaN(Date.parse(facts.builtAt)) ? facts : undefined;
}
