import type { RawParameters } from "../schema/parameter.ts";

/** Who may make a call, as PVE's API schema says it. `{name}` in a path is filled from the call's parameters. */
export type Permission =
  /** Anybody, signed in or not. */
  | "world"
  /** Anybody who is signed in; the handler may look closer. */
  | "all"
  | {
      readonly path: string;
      readonly privileges: readonly string[];
      /** One of the privileges is enough. */
      readonly any?: true;
      /** Fails when this parameter is not given. */
      readonly requireParameter?: string;
    }
  | { readonly and: readonly Permission[] }
  | { readonly or: readonly Permission[] };

/** A permission on a container: the usual case. */
export const onContainer = (...privileges: string[]): Permission => ({ path: "/vms/{vmid}", privileges });

/** Fills the `{name}` in a permission's path. */
export function fillPath(path: string, parameters: RawParameters): string {
  return path.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = parameters[name];
    return value === undefined || value === null ? "" : String(value);
  });
}
