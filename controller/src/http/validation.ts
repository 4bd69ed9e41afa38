import { BerthError, patternWords, type Route } from "@berth/protocol";
import type { FastifyRequest } from "fastify";
import Type, { type TSchema } from "typebox";
import { Compile } from "typebox/compile";
import { Value } from "typebox/value";

type PartName = "params" | "query" | "body";
/** A request's parts, each checked. */
export interface ValidInput {
  params: unknown;
  query: unknown;
  body: unknown;
}

const nothing = Type.Object({}, { additionalProperties: false });

/**
 * The validator of a route's input, compiled once. Path and query are text, so there numbers and booleans are read
 * from text and defaults filled in; a body is taken as it is. What the route does not declare is refused.
 */
export function inputValidator(route: Route): (request: FastifyRequest) => ValidInput {
  const params = partValidator("params", route.params, true);
  const query = partValidator("query", route.query ? withoutOthers(route.query) : undefined, true);
  const body = partValidator("body", route.body, false);
  return (request) => ({
    params: params(request.params),
    query: query(request.query),
    // A call without a body is the same as one with an empty object.
    body: route.body ? body(request.body === undefined ? {} : request.body) : body(request.body ?? {}),
  });
}

/** Made anew and not spread: TypeBox marks its schemas by hidden properties, which a spread would lose. */
function withoutOthers(schema: TSchema): TSchema {
  return Type.IsObject(schema) ? Type.Object(schema.properties, { additionalProperties: false }) : schema;
}

function partValidator(part: PartName, declared: TSchema | undefined, isText: boolean): (value: unknown) => unknown {
  const schema = declared ?? nothing;
  const validator = Compile(schema);
  return (value) => {
    // Conversion writes into what it is given.
    const given = isText
      ? Value.Default(schema, Value.Convert(schema, structuredClone({ ...asObject(value) })))
      : value;
    if (validator.Check(given)) return given;
    throw invalid(part, validator.Errors(given));
  };
}

function asObject(value: unknown): object {
  return typeof value === "object" && value !== null ? value : {};
}

interface Flaw {
  keyword: string;
  instancePath: string;
  params: object;
  message: string;
}

/** More says no more. */
const maxFields = 20;

function invalid(part: PartName, flaws: readonly Flaw[]): BerthError {
  const fields: Record<string, string> = {};
  for (const flaw of flaws.slice(0, maxFields)) {
    for (const [field, message] of fieldsOf(part, flaw)) fields[field] ??= message;
  }
  const [field, message] = Object.entries(fields)[0] ?? [part, "is not valid"];
  return new BerthError("invalid_request", `${field}: ${message}.`, { fields });
}

/** Names fields as the client wrote them: `memoryMiB`, `argv.0`; the body itself is `body`. */
function fieldsOf(part: PartName, flaw: Flaw): [string, string][] {
  const path = flaw.instancePath.split("/").slice(1);
  const named = (names: unknown, message: string): [string, string][] =>
    Array.isArray(names)
      ? names.slice(0, maxFields).map((name) => [[...path, String(name).slice(0, 64)].join("."), message])
      : [];
  if ("requiredProperties" in flaw.params) return named(flaw.params.requiredProperties, "is required");
  if ("additionalProperties" in flaw.params) return named(flaw.params.additionalProperties, "is not known here");
  const words = "pattern" in flaw.params ? patternWords[String(flaw.params.pattern)] : undefined;
  return [[path.join(".") || part, words ?? flaw.message]];
}
