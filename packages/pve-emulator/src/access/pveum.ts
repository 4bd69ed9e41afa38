import { randomUUID } from "node:crypto";
import type { AccessState } from "./access-state.ts";
import { allPrivileges, roles } from "./roles.ts";

/** The pools, as far as `pveum` makes them. */
interface PoolMaker {
  get(id: string): object | undefined;
  add(id: string, comment: string | undefined): Promise<void>;
}

/**
 * Does what root does with `pveum` on the host, for the lines that make a token and give and take rights: `role add|modify NAME
 * --privs`, `acl modify|delete PATH --users|--tokens NAMES --roles NAMES`, `pool add NAME`, `user add NAME`, `user token add
 * USER NAME`, with `||` between two of which the second is for when the first fails. Answers the secret of a token
 * that was made. Throws what `pveum` says, or that it is no such line.
 */
export async function runPveum(state: AccessState, pools: PoolMaker, line: string): Promise<string | undefined> {
  const [first = "", ...others] = line.split("||");
  try {
    return await runOne(state, pools, wordsOf(first.trim()));
  } catch (error) {
    if (others.length === 0) throw error;
    return runPveum(state, pools, others.join("||"));
  }
}

async function runOne(state: AccessState, pools: PoolMaker, words: readonly string[]): Promise<string | undefined> {
  const [program, topic, verb, subject, ...rest] = words;
  if (program !== "pveum" || subject === undefined) throw new Error(`not a line of pveum: ${words.join(" ")}`);
  switch (`${topic} ${verb}`) {
    case "pool add":
      if (pools.get(subject)) throw new Error(`pool '${subject}' already exists`);
      await pools.add(subject, undefined);
      return undefined;
    case "user add":
      if (state.users.includes(subject)) throw new Error(`user '${subject}' already exists`);
      state.users.push(subject);
      return undefined;
    case "user token":
      if (subject !== "add") throw new Error(`unknown command 'pveum user token ${subject}'`);
      return addToken(state, rest);
    default:
      changeRights(state, `${topic} ${verb}`, subject, optionsOf(rest));
      return undefined;
  }
}

function addToken(state: AccessState, [userid = "", name = "", ...rest]: readonly string[]): string {
  if (!state.users.includes(userid)) throw new Error(`user '${userid}' does not exist`);
  if (state.tokens.some((token) => token.userid === userid && token.name === name)) {
    throw new Error("Token already exists.");
  }
  const secret = randomUUID();
  state.tokens.push({ userid, name, secret, separated: optionsOf(rest).get("privsep") !== "0" });
  return secret;
}

function changeRights(state: AccessState, what: string, subject: string, options: ReadonlyMap<string, string>): void {
  switch (what) {
    case "role add":
      if (rolesOf(state)[subject]) throw new Error(`role '${subject}' already exists`);
      setRole(state, subject, list(options, "privs"));
      return;
    case "role modify":
      if (!state.roles?.[subject]) throw new Error(`role '${subject}' does not exist`);
      setRole(state, subject, list(options, "privs"));
      return;
    case "acl modify":
      for (const entry of entriesOf(state, subject, options)) {
        remove(state, entry);
        state.acl.push(entry);
      }
      return;
    case "acl delete":
      for (const entry of entriesOf(state, subject, options)) remove(state, entry);
      return;
    default:
      throw new Error(`unknown command 'pveum ${what}'`);
  }
}

/** Privileges by role: those that come with it, and those that were added. */
export function rolesOf(state: AccessState): Readonly<Record<string, readonly string[]>> {
  return { ...roles, ...state.roles };
}

function setRole(state: AccessState, name: string, privileges: readonly string[]): void {
  const unknown = privileges.find((privilege) => !allPrivileges.includes(privilege));
  if (unknown !== undefined) throw new Error(`invalid privilege '${unknown}'`);
  state.roles = { ...state.roles, [name]: [...privileges] };
}

type Entry = AccessState["acl"][number];

function entriesOf(state: AccessState, path: string, options: ReadonlyMap<string, string>): Entry[] {
  if (!path.startsWith("/")) throw new Error(`invalid ACL path '${path}'`);
  const subjects = [...list(options, "users"), ...list(options, "tokens")];
  const names = list(options, "roles");
  const unknown = names.find((role) => !rolesOf(state)[role]);
  if (unknown !== undefined) throw new Error(`role '${unknown}' does not exist`);
  if (subjects.length === 0 || names.length === 0) throw new Error("missing users, tokens or roles");
  const propagate = options.get("propagate") !== "0";
  return subjects.flatMap((subject) => names.map((role) => ({ path, subject, role, propagate })));
}

function remove(state: AccessState, { path, subject, role }: Entry): void {
  state.acl = state.acl.filter((one) => one.path !== path || one.subject !== subject || one.role !== role);
}

function list(options: ReadonlyMap<string, string>, name: string): string[] {
  return (options.get(name) ?? "").split(/[\s,;]+/).filter((word) => word !== "");
}

function optionsOf(words: readonly string[]): ReadonlyMap<string, string> {
  const options = new Map<string, string>();
  for (let at = 0; at < words.length; at += 2) {
    const [name = "", value] = [words[at], words[at + 1]];
    if (!/^--(?:privs|users|tokens|roles|propagate|privsep)$/.test(name) || value === undefined) {
      throw new Error(`Unknown option: ${name}`);
    }
    options.set(name.slice(2), value);
  }
  return options;
}

/** The words of a shell's line; quotes hold words together. */
function wordsOf(line: string): string[] {
  return [...line.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(
    ([, single, double, bare]) => single ?? double ?? bare ?? "",
  );
}
