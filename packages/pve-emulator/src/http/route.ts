import type { Caller } from "../access/caller.ts";
import type { Permission } from "../access/permission.ts";
import type { ParameterSet, RawParameters, Values } from "../schema/parameter.ts";
import { verifyParameters } from "../schema/verify.ts";

export type Method = "GET" | "POST" | "PUT" | "DELETE";

/** What a handler gets. */
export interface Call<S extends ParameterSet> {
  readonly params: Values<S>;
  readonly caller: Caller;
}

export interface RouteDefinition<S extends ParameterSet> {
  readonly method: Method;
  /** Below `/api2/json`; `{name}` stands for a parameter, a final `{+name}` for one with slashes in it. */
  readonly path: string;
  readonly permission: Permission;
  /** All parameters, those of the path included. */
  readonly parameters: S;
  /** Answers `data`, or a `Page` when there is something beside it. */
  handle(call: Call<S>): unknown;
}

/** A route whose parameter types are sealed in. */
export interface Route {
  readonly method: Method;
  readonly path: string;
  readonly permission: Permission;
  /** Verifies the parameters, then handles the call. */
  run(raw: RawParameters, caller: Caller): unknown;
}

/** Data with a number beside it in the answer; PVE leaves out a total of 0. */
export class Page {
  readonly data: unknown;
  readonly total: number;

  constructor(data: unknown, total: number) {
    this.data = data;
    this.total = total;
  }
}

export function defineRoute<const S extends ParameterSet>(definition: RouteDefinition<S>): Route {
  const { method, path, permission, parameters } = definition;
  return {
    method,
    path,
    permission,
    run: (raw, caller) => definition.handle({ params: verifyParameters(parameters, raw), caller }),
  };
}

/** Finds routes by method and path. Literal segments win over parameters. */
export class RouteTable {
  readonly #routes: readonly { route: Route; segments: readonly string[] }[];

  constructor(routes: readonly Route[]) {
    this.#routes = routes
      .map((route) => ({ route, segments: route.path.split("/").slice(1) }))
      .sort((a, b) => literals(b.segments) - literals(a.segments));
  }

  /** This table's route of the same method and path. */
  same({ method, path }: Route): { route: Route } | undefined {
    return this.#routes.find(({ route }) => route.method === method && route.path === path);
  }

  /** The route, with the parameters in the path; undefined when there is none. */
  find(method: string, path: string): { route: Route; parameters: Record<string, string> } | undefined {
    const given = path.split("/").slice(1);
    for (const { route, segments } of this.#routes) {
      if (route.method !== method) continue;
      const parameters = match(segments, given);
      if (parameters) return { route, parameters };
    }
    return undefined;
  }
}

/** The parameters in a path, or undefined when it is not of this form. */
function match(segments: readonly string[], given: readonly string[]): Record<string, string> | undefined {
  const parameters: Record<string, string> = {};
  for (const [index, segment] of segments.entries()) {
    const [, open, name] = /^\{(\+?)(\w+)\}$/.exec(segment) ?? [];
    const value = (open ? given.slice(index).join("/") : given[index]) ?? "";
    if (name === undefined ? segment !== value : value === "") return undefined;
    if (name !== undefined) parameters[name] = value;
    if (open) return parameters;
  }
  return segments.length === given.length ? parameters : undefined;
}

function literals(segments: readonly string[]): number {
  return segments.filter((segment) => !segment.startsWith("{")).length;
}
