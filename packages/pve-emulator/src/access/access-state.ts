import { randomBytes, randomUUID } from "node:crypto";
import { join } from "node:path";
import Type, { type Static } from "typebox";
import { loadOrCreate } from "../state/json-file.ts";
import { controllerRole } from "./roles.ts";

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
});
export type AccessState = Static<typeof accessStateSchema>;

/** Where the controller's rights lie. */
export interface AccessScope {
  readonly node: string;
  readonly storage: string;
  readonly pool: string;
  readonly template: number;
}

const controllerUser = "controller@pve";
const powerlessUser = "powerless@pve";
const controllerTokenName = "berth";

/** Users, tokens and rights: read from the data folder, or made there on the first start. */
export function loadAccessState(dataDir: string, scope: AccessScope): Promise<AccessState> {
  return loadOrCreate(join(dataDir, "access.json"), accessStateSchema, () => newAccessState(scope));
}

function newAccessState(scope: AccessScope): AccessState {
  const paths = [
    `/vms/${scope.template}`,
    `/pool/${scope.pool}`,
    `/storage/${scope.storage}`,
    "/sdn/zones/localnetwork",
    `/nodes/${scope.node}`,
  ];
  return {
    rootPassword: randomBytes(18).toString("base64url"),
    ticketKey: randomBytes(32).toString("hex"),
    users: ["root@pam", controllerUser, powerlessUser],
    tokens: [
      { userid: controllerUser, name: controllerTokenName, secret: randomUUID(), separated: false },
      { userid: powerlessUser, name: "none", secret: randomUUID(), separated: true },
    ],
    acl: paths.map((path) => ({ path, subject: controllerUser, role: controllerRole, propagate: true })),
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
