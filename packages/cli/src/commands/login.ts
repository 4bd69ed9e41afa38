import {
  BerthError,
  type Client,
  createToken,
  deleteToken,
  login,
  logout,
  me,
  passwordLimits,
  setup,
} from "@berth/protocol";
import type { Command } from "commander";
import { askSecret, firstLine } from "../ask.ts";
import { type Profile, profileNamePattern } from "../config/profiles.ts";
import { exitCodes } from "../exit-codes.ts";
import { CommandFailed, wrongUsage } from "../failure.ts";
import { baseUrl } from "../http/base-url.ts";
import type { Trust } from "../http/trust.ts";
import { countOption, flag, textOption } from "../options.ts";
import { readTrust, type Session, trustOf } from "../session.ts";
import { describe, does, groups, type Run, tellDone } from "./register.ts";

/** `berth login`: signs in by password once, and keeps an API token of its own from then on. */
export function loginCommand(run: Run): Command {
  const command = describe("login", {
    summary: "Sign in to a controller",
    more: `The password is asked for, or read from the standard input, and not kept: berth makes an API token named
after this machine, and keeps that in a file for you alone. The one-time link that a new controller prints
works in place of the address: it sets the admin's password.`,
    examples: [
      "berth login http://127.0.0.1:7400",
      "berth login 'http://127.0.0.1:7400/#setup=…'              # the link of a first start",
      "berth login https://berth.lan --fingerprint AB:CD:…       # a certificate that nobody signed",
      "berth login http://10.0.0.5:7400 --profile lab            # a second controller",
      "echo $PASSWORD | berth login http://127.0.0.1:7400",
    ],
    group: groups.account,
  })
    .argument("[url]", "the controller's address, or its set-up link")
    .option("--username <name>", "who signs in", "admin")
    .option("--token-name <name>", "how the API token is called; after this machine by default")
    .option("--expires-in-days <days>", "when the API token ends; never by default")
    .option("--token-stdin", "read an API token from the standard input, instead of making one")
    .option("--ca <file>", "certificates of authorities to believe, as PEM")
    .option("--fingerprint <sha256>", "the one certificate to believe, by its SHA-256");
  return does(command, run, signIn);
}

async function signIn(session: Session, command: Command): Promise<undefined> {
  const name = session.profileName ?? "default";
  if (!profileNamePattern.test(name)) throw wrongUsage("A profile's name has letters, digits, dots, - and _.");
  const file = await session.profiles.read();
  const known = file.profiles[name];
  const given = command.args[0] ?? session.environment.url ?? known?.url ?? "http://127.0.0.1:7400";
  const [address = "", setupToken] = given.split(/\/?#setup=/);
  const url = baseUrl(address);
  const trust = await chosenTrust(session, command, url, known);
  const anonymous = session.openController(url, "", trust).client;
  const made = flag(command, "tokenStdin")
    ? { token: await firstLine(session.surroundings.stdin, session.signal), tokenId: "" }
    : await makeToken(session, command, { url, trust, anonymous, setupToken });
  const client = session.openController(url, made.token, trust).client;
  const user = await client.call(me, {});
  const profile: Profile = { url, ...made, username: user.username, ...kept(trust) };
  await session.profiles.write({ current: name, profiles: { ...file.profiles, [name]: profile } });
  if (known && known.url === url && known.tokenId !== "") await revoke(client, known.tokenId);
  session.output.result(user, () => `Signed in to ${url} as ${user.username}.\n`);
  return undefined;
}

async function chosenTrust(session: Session, command: Command, url: string, known?: Profile): Promise<Trust> {
  const { environment, signal } = session;
  const fingerprint = textOption(command, "fingerprint") ?? environment.fingerprint;
  const caFile = textOption(command, "ca") ?? environment.caFile;
  // Signing in again means the same controller, so the same certificate.
  if (fingerprint === undefined && caFile === undefined && known?.url === url) return trustOf(known);
  return readTrust(url, { fingerprint, caFile, signal });
}

function kept(trust: Trust): Pick<Profile, "ca" | "fingerprint"> {
  if (trust.kind === "pinned") return { ca: trust.certificate, fingerprint: trust.fingerprint };
  return trust.ca === undefined ? {} : { ca: trust.ca };
}

interface SignIn {
  readonly url: string;
  readonly trust: Trust;
  readonly anonymous: Client;
  /** Of a set-up link. */
  readonly setupToken: string | undefined;
}

/** Opens a session, makes an API token in it, and ends the session. */
async function makeToken(
  session: Session,
  command: Command,
  signIn: SignIn,
): Promise<{ token: string; tokenId: string }> {
  const { signal } = session;
  const opened = await openSession(session, command, signIn);
  const client = session.openController(signIn.url, opened, signIn.trust).client;
  const expiresInDays = countOption(command, "expiresInDays");
  const body = {
    name: textOption(command, "tokenName") ?? `berth on ${session.environment.hostname}`,
    ...(expiresInDays === undefined ? {} : { expiresInDays }),
  };
  const { id, token } = await client.call(createToken, { body }, { signal });
  await client.call(logout, {}, { signal });
  return { token, tokenId: id };
}

async function openSession(session: Session, command: Command, { anonymous, setupToken }: SignIn): Promise<string> {
  const { signal } = session;
  if (setupToken !== undefined) {
    const password = await newPassword(session);
    return (await anonymous.call(setup, { body: { token: setupToken, password } }, { signal })).token;
  }
  const username = textOption(command, "username") ?? "admin";
  const password = await askSecret(session.surroundings, `Password of ${username}: `);
  return (await anonymous.call(login, { body: { username, password } }, { signal })).token;
}

async function newPassword(session: Session): Promise<string> {
  const { minLength, maxLength } = passwordLimits;
  const password = await askSecret(session.surroundings, `New password (${minLength} characters or more): `);
  if (password.length < minLength || password.length > maxLength) {
    throw wrongUsage(`A password has ${minLength} to ${maxLength} characters.`, "Try again; the link is still good.");
  }
  if (session.surroundings.stdin.isTTY && (await askSecret(session.surroundings, "Once more: ")) !== password) {
    throw wrongUsage("The two are not the same.", "Try again; the link is still good.");
  }
  return password;
}

/** The token of an earlier sign-in: that it is gone already is no failure. */
async function revoke(client: Client, id: string): Promise<void> {
  try {
    await client.call(deleteToken, { params: { id } });
  } catch (error) {
    if (!(error instanceof BerthError)) throw error;
  }
}

/** `berth logout`: revokes the token, and forgets the profile. */
export function logoutCommand(run: Run): Command {
  const command = describe("logout", {
    summary: "Sign out: revoke this machine's API token and forget it",
    examples: ["berth logout", "berth logout --profile lab"],
    group: groups.account,
  });
  return does(command, run, async (session) => {
    const file = await session.profiles.read();
    const name = session.profileName ?? file.current;
    const profile = name === null ? undefined : file.profiles[name];
    if (name === null || !profile) {
      throw new CommandFailed(exitCodes.denied, "unauthenticated", "You are not signed in.");
    }
    if (profile.tokenId !== "") {
      await revoke(session.openController(profile.url, profile.token, trustOf(profile)).client, profile.tokenId);
    }
    const { [name]: _gone, ...profiles } = file.profiles;
    await session.profiles.write({ profiles, current: file.current === name ? null : file.current });
    tellDone(session, { profile: name, url: profile.url }, `Signed out of ${profile.url}.`);
    return undefined;
  });
}
