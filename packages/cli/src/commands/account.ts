import { readFile } from "node:fs/promises";
import { createKey, deleteKey, deleteToken, everyPage, listKeys, listTokens, me } from "@berth/protocol";
import type { Command } from "commander";
import { exitCodes } from "../exit-codes.ts";
import { CommandFailed, notFound } from "../failure.ts";
import { argument, textOption } from "../options.ts";
import { ago } from "../output/ago.ts";
import type { Session } from "../session.ts";
import { describe, does, groups, type Run, tellDone } from "./register.ts";

/** `berth whoami`. */
export function whoamiCommand(run: Run): Command {
  const command = describe("whoami", {
    summary: "Who is signed in, and where",
    examples: ["berth whoami", "berth whoami --json"],
    group: groups.account,
  });
  return does(command, run, async (session) => {
    const controller = await session.controller();
    const user = await controller.client.call(me, {}, { signal: session.signal });
    session.output.result(user, () => `${user.username} at ${controller.url}\n`);
    return undefined;
  });
}

/** `berth profile`: lists the controllers that are known, or chooses one. */
export function profileCommand(run: Run): Command {
  const command = describe("profile", {
    summary: "List the controllers you are signed in to, or choose the one that counts",
    examples: [
      "berth profile",
      "berth profile lab             # from now on",
      "berth --profile lab ls        # this once",
    ],
    group: groups.account,
  }).argument("[profile]", "the profile to choose");
  return does(command, run, async (session, { args: [wanted] }) => {
    const file = await session.profiles.read();
    if (wanted !== undefined) {
      if (!file.profiles[wanted]) throw notFound(`There is no profile "${wanted}".`, "See berth profile.");
      await session.profiles.write({ ...file, current: wanted });
      const { url, username } = file.profiles[wanted];
      tellDone(session, { name: wanted, url, username, current: true }, `Commands go to ${url} from now on.`);
      return undefined;
    }
    const items = Object.entries(file.profiles).map(([name, { url, username }]) => ({
      name,
      url,
      username,
      current: name === file.current,
    }));
    const rows = items.map(({ name, url, username, current }) => [name, current ? "*" : "", username, url]);
    session.output.result({ items }, () => session.output.table(["PROFILE", "", "USER", "ADDRESS"], rows));
    return undefined;
  });
}

/** `berth keys`: the SSH keys that the gateway lets in. */
export function keysCommand(run: Run): Command {
  const command = describe("keys", {
    summary: "Your SSH keys: list, add and remove them",
    examples: ["berth keys", "berth keys add ~/.ssh/id_ed25519.pub --name laptop", "berth keys rm key_…"],
    group: groups.account,
  });
  const list = command.command("ls", { isDefault: true }).description("List your SSH keys");
  does(list, run, async (session) => {
    const client = await session.client();
    const items = await everyPage((query) => client.call(listKeys, { query }, { signal: session.signal }));
    const rows = items.map(({ id, name, fingerprint }) => [id, name, fingerprint]);
    session.output.result({ items, nextCursor: null }, () => session.output.table(["ID", "NAME", "FINGERPRINT"], rows));
    return undefined;
  });
  const add = command
    .command("add")
    .description("Register a public key")
    .argument("<file>", "the public key")
    .option("--name <name>", "how it is called; its comment by default");
  does(add, run, async (session, at) => {
    const publicKey = await readKey(argument(at, 0));
    const name = textOption(at, "name");
    const body = { publicKey, ...(name === undefined ? {} : { name }) };
    const key = await (await session.client()).call(createKey, { body }, { signal: session.signal });
    session.output.result(key, () => `${key.id}  ${key.name}  ${key.fingerprint}\n`);
    return undefined;
  });
  const remove = command.command("rm").description("Remove a key").argument("<key>", "its id");
  does(remove, run, async (session, at) => {
    const id = argument(at, 0);
    await (await session.client()).call(deleteKey, { params: { id } }, { signal: session.signal });
    tellDone(session, { id }, "The key is removed; it lets nobody in any more.");
    return undefined;
  });
  return command;
}

async function readKey(path: string): Promise<string> {
  const text = await readFile(path, "utf8").catch((error: unknown) => {
    throw new CommandFailed(exitCodes.usage, "usage", `${path} cannot be read.`, "Name a public key file.", error);
  });
  if (text.includes("PRIVATE KEY")) {
    throw new CommandFailed(exitCodes.usage, "usage", `${path} is a private key.`, `Did you mean ${path}.pub?`);
  }
  return text.trim();
}

/** `berth tokens`: API tokens. */
export function tokensCommand(run: Run): Command {
  const command = describe("tokens", {
    summary: "Your API tokens: list and revoke them",
    examples: ["berth tokens", "berth tokens rm tok_…"],
    group: groups.account,
  });
  const list = command.command("ls", { isDefault: true }).description("List your API tokens");
  does(list, run, listTokensOf);
  const remove = command.command("rm").description("Revoke an API token").argument("<token>", "its id");
  does(remove, run, async (session, at) => {
    const id = argument(at, 0);
    await (await session.client()).call(deleteToken, { params: { id } }, { signal: session.signal });
    tellDone(session, { id }, "The token is revoked.");
    return undefined;
  });
  return command;
}

async function listTokensOf(session: Session): Promise<undefined> {
  const client = await session.client();
  const items = await everyPage((query) => client.call(listTokens, { query }, { signal: session.signal }));
  const now = session.surroundings.clock.now();
  const rows = items.map(({ id, name, lastUsedAt, expiresAt }) => [
    id,
    name,
    lastUsedAt === null ? "never" : `${ago(lastUsedAt, now)} ago`,
    expiresAt === null ? "never" : expiresAt.slice(0, 10),
  ]);
  session.output.result({ items, nextCursor: null }, () =>
    session.output.table(["ID", "NAME", "USED", "EXPIRES"], rows),
  );
  return undefined;
}
