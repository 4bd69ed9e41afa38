import {
  createSandbox,
  getSandbox,
  type RouteInput,
  randomKey,
  sandboxSizeNameSchema,
  sandboxSizes,
} from "@berth/protocol";
import { type Command, Option } from "commander";
import { Value } from "typebox/value";
import { wrongUsage } from "../failure.ts";
import { followOperation } from "../operation.ts";
import { countOption, flag, textOption, textsOption } from "../options.ts";
import type { Session } from "../session.ts";
import { collect, describe, does, groups, type Run } from "./register.ts";
import { sleepAfterOf, sleepAfterOption } from "./sleep-after.ts";

type Wish = RouteInput<typeof createSandbox>["body"];

/** `berth new`: makes a sandbox and shows its steps. */
export function newCommand(run: Run): Command {
  const command = describe("new", {
    summary: "Make a sandbox",
    examples: [
      "berth new web",
      "berth new web --size large --vlan 20",
      "berth new web --cores 4 --memory 8G --disk 40",
      "berth new web --env NODE_ENV=test",
      "berth new fix --git https://git.lan/me/app.git --branch main",
      "berth new web && berth claude web",
    ],
    group: groups.fleet,
  })
    .argument("[name]", "how it is called; a name is made up by default")
    .addOption(new Option("--size <name>", "its size; the numbers below count more").choices(Object.keys(sandboxSizes)))
    .option("--cores <number>", "processor cores")
    .option("--memory <size>", "in MiB, or with G")
    .option("--disk <GiB>", "size of its disk in GiB")
    .option("--node <name>", "the Proxmox host it is to be on")
    .option("--vlan <tag>", "the VLAN of its network card")
    .addOption(sleepAfterOption())
    .option("--git <url>", "clone this repository into its workspace, on a branch of its own")
    .option("--branch <name>", "with --git: where that branch begins; the remote's default by default")
    .option("--folder <path>", "fill its workspace from this folder of the controller's host")
    .option("--env <NAME=value>", "a variable for its terminals; may be repeated", collect, [])
    .option("--no-start", "leave it stopped")
    .option("--no-wait", "do not wait until it is ready");
  return does(command, run, make);
}

async function make(session: Session, command: Command): Promise<undefined> {
  const { output, signal } = session;
  const client = await session.client();
  const call = { signal, idempotencyKey: `new-${randomKey()}` };
  const begun = await client.call(createSandbox, { body: wishOf(command) }, call);
  if (!flag(command, "wait")) {
    output.result(begun, () => `${begun.sandbox.name}\n`);
    return undefined;
  }
  const operation = await followOperation(session, begun.operation);
  const sandbox = await client.call(getSandbox, { params: { id: begun.sandbox.id } }, { signal });
  output.result({ sandbox, operation }, () => `${sandbox.name}\n`);
  return undefined;
}

/** The request's body; the controller says what of it is out of bounds. */
export function wishOf(command: Command): Wish {
  const wish: Wish = {};
  const [name] = command.args;
  const cores = countOption(command, "cores");
  const memory = textOption(command, "memory");
  const diskGiB = countOption(command, "disk");
  const node = textOption(command, "node");
  const env = variables(textsOption(command, "env"));
  if (name !== undefined) wish.name = name;
  const size = textOption(command, "size");
  if (size !== undefined) wish.size = sizeName(size);
  const vlan = countOption(command, "vlan");
  if (vlan !== undefined) wish.vlan = vlan;
  if (cores !== undefined) wish.cores = cores;
  if (memory !== undefined) wish.memoryMiB = mebibytes(memory);
  if (diskGiB !== undefined) wish.diskGiB = diskGiB;
  if (node !== undefined) wish.node = node;
  const sleepAfter = textOption(command, "sleepAfter");
  if (sleepAfter !== undefined) wish.sleepAfterMinutes = sleepAfterOf(sleepAfter);
  const workspace = workspaceOf(command);
  if (workspace) wish.workspace = workspace;
  if (Object.keys(env).length > 0) wish.env = env;
  if (!flag(command, "start")) wish.start = false;
  return wish;
}

function workspaceOf(command: Command): Wish["workspace"] {
  const [url, branch, path] = ["git", "branch", "folder"].map((name) => textOption(command, name));
  if (url === undefined && branch !== undefined) throw wrongUsage("--branch goes with --git URL.");
  if (url !== undefined && path !== undefined) throw wrongUsage("A workspace is made of --git or of --folder.");
  if (path !== undefined) return { type: "folder", path };
  return url === undefined ? undefined : { type: "git", url, ...(branch === undefined ? {} : { branch }) };
}

function sizeName(text: string): NonNullable<Wish["size"]> {
  if (Value.Check(sandboxSizeNameSchema, text)) return text;
  throw wrongUsage(`--size is one of ${Object.keys(sandboxSizes).join(", ")}, not "${text}".`);
}

/** The MiB of a size such as `2048` or `4G`. */
export function mebibytes(text: string): number {
  const [, digits, unit] = /^(\d{1,9})\s*(|m|mib|g|gib)$/i.exec(text) ?? [];
  if (digits === undefined) throw wrongUsage(`--memory needs a size such as 2048 or 4G, not "${text}".`);
  return Number(digits) * (/^g/i.test(unit ?? "") ? 1024 : 1);
}

function variables(texts: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    texts.map((text) => {
      const equals = text.indexOf("=");
      if (equals < 1) throw wrongUsage(`--env needs NAME=value, not "${text}".`);
      return [text.slice(0, equals), text.slice(equals + 1)];
    }),
  );
}
