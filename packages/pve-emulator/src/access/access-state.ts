import { randomBytes, randomUUID } from "node:crypto";
import { join } from "node:path";
import Type, { type Static } from "typebox";
import { loadOrCreate, saveJson } from "../state/json-file.ts";
import { archiveStorage } from "../storage/archives.ts";
import { controllerRole, templateRole } from "./roles.ts";

const entrySchema = Type.Object({
  path: Type.String(),
  /** `user@realm` or `user@realm!token`. */
  subject: Type.String(),
  role: Type.String(),
  propagate: Type.Boolean(),
});

const tokenSchema = Type.Object({
  userid: Type.String(),
  name: Type.String(),
  secret: Type.String(),
  /** The token's rights are those that both it and its user have; otherwise its user's. */
  separated: Type.Boolean(),
});

const accessStateSchema = Type.Object({
  rootPassword: Type.String(),
  /** Signs tickets, hex. */
  ticketKey: Type.String(),
  users: Type.Array(Type.String()),
  tokens: Type.Array(tokenSchema),
  acl: Type.Array(entrySchema),
  /** Privileges by role, of those that `pveum` has added. */
  roles: Type.Optional(Type.Record(Type.String(), Type.Array(Type.String()))),
});
export type AccessState = Static<typeof accessStateSchema>;

/** Where the controller's rights lie. */
export interface AccessScope {
  readonly nodes: readonly string[];
  readonly storages: readonly string[];
  readonly pool: string;
  readonly templates: readonly number[];
}

const controllerUser = "controller@pve";
const powerlessUser = "powerless@pve";
const controllerTokenName = "berth";

/**
 * Users, tokens and rights: read from the data folder, or made there on the first start. Rights that this version has
 * and the one that made the folder had not are added.
 */
export async function loadAccessState(dataDir: string, scope: AccessScope): Promise<AccessState> {
  const path = accessFile(dataDir);
  const state = await loadOrCreate(path, accessStateSchema, () => newAccessState(scope));
  const missing = grantsOf(scope).filter(
    (grant) => !state.acl.some((entry) => entry.path === grant.path && entry.subject === grant.subject),
  );
  if (missing.length === 0) return state;
  state.acl.push(...missing);
  await saveJson(path, state);
  return state;
}

/** Keeps what has changed. */
export function saveAccessState(dataDir: string, state: AccessState): Promise<void> {
  return saveJson(accessFile(dataDir), state);
}

const accessFile = (dataDir: string): string => join(dataDir, "access.json");

/** What the controller may do where; nothing on `/`, and nothing on containers outside its pool but its template. */
function grantsOf(scope: AccessScope): AccessState["acl"] {
  const grant = (path: string, role = controllerRole) => ({ path, subject: controllerUser, role, propagate: true });
  return [
    ...scope.templates.map((vmid) => grant(`/vms/${vmid}`)),
    grant(`/pool/${scope.pool}`),
    ...scope.storages.map((storage) => grant(`/storage/${storage}`)),
    grant("/sdn/zones/localnetwork"),
    ...scope.nodes.map((node) => grant(`/nodes/${node}`)),
    grant(`/storage/${archiveStorage}`, templateRole),
  ];
}

function newAccessState(scope: AccessScope): AccessState {
  return {
    rootPassword: randomBytes(18).toString("base64url"),
    ticketKey: randomBytes(32).toString("hex"),
    users: ["root@pam", controllerUser, powerlessUser],
    tokens: [
      { userid: controllerUser, name: controllerTokenName, secret: randomUUID(), separated: false },
      { userid: powerlessUser, name: "none", secret: randomUUID(), separated: true },
    ],
    acl: grantsOf(scope),
  };
}

/** A token as a client sends it: `user@realm!name=secret`. */
function tokenText(state: AccessState, userid: string): string {
  const token = state.tokens.find((one) => one.userid === userid);
  if (!token) throw new Error(`access.json has no token of ${userid}`);
  return `${token.userid}!${token.name}=${token.secret}`;
}

export const controllerToken = (state: AccessState): string => tokenText(state, controllerUser);
export const powerlessToken = (state: AccessState): string => tokenText(state, powerlessUser);
