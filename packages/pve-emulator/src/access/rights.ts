import { ApiError } from "../http/api-error.ts";
import type { RawParameters } from "../schema/parameter.ts";
import type { AccessState } from "./access-state.ts";
import type { Caller } from "./caller.ts";
import { fillPath, type Permission } from "./permission.ts";
import { rolesOf } from "./pveum.ts";
import { allPrivileges } from "./roles.ts";

/** Privilege to whether it also holds below the path. */
type Privileges = ReadonlyMap<string, boolean>;

/** Works out who may do what: PVE's rules of users, privilege-separated tokens, paths and pools. */
export class Rights {
  readonly #state: AccessState;
  readonly #poolOf: (vmid: number) => string | undefined;

  constructor(state: AccessState, poolOf: (vmid: number) => string | undefined) {
    this.#state = state;
    this.#poolOf = poolOf;
  }

  /** Throws the 403 of a permission that the caller does not have. */
  demand(caller: Caller | undefined, permission: Permission, parameters: RawParameters): void {
    if (permission === "world") return;
    if (permission === "all") return;
    if ("and" in permission) {
      for (const one of permission.and) this.demand(caller, one, parameters);
      return;
    }
    if ("or" in permission) {
      if (!permission.or.some((one) => this.#holds(caller, one, parameters))) throw ApiError.permission();
      return;
    }
    const path = fillPath(permission.path, parameters);
    if (!this.#holds(caller, permission, parameters)) {
      throw ApiError.permission({ path, privileges: permission.privileges });
    }
  }

  /** Whether the caller has one of these privileges on a path. */
  has(caller: Caller, path: string, ...anyOf: string[]): boolean {
    const held = this.privileges(caller, path);
    return anyOf.some((privilege) => held.has(privilege));
  }

  /** Throws the 403 unless the caller has one of these privileges on a path. */
  require(caller: Caller, path: string, ...anyOf: string[]): void {
    if (!this.has(caller, path, ...anyOf)) throw ApiError.permission({ path, privileges: anyOf });
  }

  /** The caller's privileges on a path. */
  privileges(caller: Caller, path: string): Privileges {
    const ofUser = this.#withPool(caller.userid, path);
    const token = this.#state.tokens.find(
      (one) => one.userid === caller.userid && one.name === caller.tokenName && one.separated,
    );
    if (!token) return ofUser;
    const ofToken = this.#withPool(caller.id, path);
    return new Map([...ofUser].filter(([privilege]) => ofToken.has(privilege)));
  }

  /** Privileges by path, of all paths where somebody granted this caller something. */
  effective(caller: Caller): Record<string, Record<string, 0 | 1>> {
    const paths = caller.userid === "root@pam" ? ["/"] : this.#state.acl.map((entry) => entry.path);
    const effective: Record<string, Record<string, 0 | 1>> = {};
    for (const path of paths) {
      const held = [...this.privileges(caller, path)];
      if (held.length > 0) effective[path] = Object.fromEntries(held.map(([name, below]) => [name, below ? 1 : 0]));
    }
    return effective;
  }

  #holds(caller: Caller | undefined, permission: Permission, parameters: RawParameters): boolean {
    if (typeof permission === "string") return true;
    if (!caller) return false;
    if ("and" in permission) return permission.and.every((one) => this.#holds(caller, one, parameters));
    if ("or" in permission) return permission.or.some((one) => this.#holds(caller, one, parameters));
    if (permission.requireParameter && !parameters[permission.requireParameter]) return false;
    const held = this.privileges(caller, fillPath(permission.path, parameters));
    return permission.any
      ? permission.privileges.some((privilege) => held.has(privilege))
      : permission.privileges.every((privilege) => held.has(privilege));
  }

  /** A member of a pool is also reached through the pool's own path. */
  #withPool(subject: string, path: string): Privileges {
    const held = this.#onPath(subject, path);
    const vmid = /^\/vms\/(\d+)$/.exec(path)?.[1];
    const pool = vmid === undefined ? undefined : this.#poolOf(Number(vmid));
    return pool === undefined ? held : new Map([...held, ...this.#onPath(subject, `/pool/${pool}`)]);
  }

  /** The deepest path that has an entry for the subject decides; shallower ones count only if nothing is deeper. */
  #onPath(subject: string, path: string): Privileges {
    if (subject === "root@pam") return new Map(allPrivileges.map((privilege) => [privilege, true]));
    const roles = rolesOf(this.#state);
    let held = new Map<string, boolean>();
    for (const prefix of prefixes(path)) {
      const entries = this.#state.acl.filter(
        (entry) => entry.subject === subject && entry.path === prefix && (entry.propagate || prefix === path),
      );
      if (entries.length === 0) continue;
      held = new Map(
        entries.flatMap((entry) => (roles[entry.role] ?? []).map((privilege) => [privilege, entry.propagate] as const)),
      );
    }
    return held;
  }
}

/** `/a/b` → `/`, `/a`, `/a/b`. */
function prefixes(path: string): string[] {
  const parts = path.split("/").filter(Boolean);
  return ["/", ...parts.map((_, index) => `/${parts.slice(0, index + 1).join("/")}`)];
}
