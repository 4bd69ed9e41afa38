import {
  createSnapshot,
  deleteSnapshot,
  forkSandbox,
  getSandbox,
  listSnapshots,
  type Operation,
  randomKey,
  rollbackSnapshot,
} from "@berth/protocol";
import { Argument, type Command } from "commander";
import { confirm } from "../ask.ts";
import { exitCodes } from "../exit-codes.ts";
import { CommandFailed, wrongUsage } from "../failure.ts";
import { followOperation } from "../operation.ts";
import { argument, flag, textOption } from "../options.ts";
import { ago } from "../output/ago.ts";
import { harmless } from "../output/style.ts";
import type { Session } from "../session.ts";
import { tellOperation } from "./fleet.ts";
import { describe, does, groups, type Run, sandboxArgument } from "./register.ts";

/** `berth snapshot`: lists, takes and deletes snapshots of a sandbox. */
export function snapshotCommand(run: Run): Command {
  const command = describe("snapshot", {
    summary: "List, take and delete snapshots of a sandbox's disk",
    more: "The action may also stand before the sandbox: berth snapshot create web.",
    examples: [
      "berth snapshot web",
      'berth snapshot web create before-upgrade --description "all tests green"',
      "berth snapshot web rm before-upgrade",
    ],
    group: groups.fleet,
  })
    .addArgument(sandboxArgument())
    .addArgument(actionArgument())
    .argument("[snapshot]", "its name: a letter, then letters, digits, _ and -; made of the time by default")
    .option("--description <text>", "with create: what it is of")
    .option("--no-wait", "do not wait until it is done");
  return does(command, run, async (session, at) => {
    const { id, action, name } = snapshotWish(at.args);
    if (action === "ls") await list(session, id);
    else if (action === "create") await tellOperation(session, at, await take(session, at, id, name));
    else await tellOperation(session, at, await remove(session, id, name));
    return undefined;
  });
}

const actions = ["create", "ls", "rm"] as const;
type Action = (typeof actions)[number];

/** Its choices are for completion and the help: what stands there may also be the sandbox. */
function actionArgument(): Argument {
  return new Argument("[action]", "what to do; ls by default").choices(actions).argParser((word) => word);
}

/**
 * What is to be done with which sandbox's snapshots. Both orders are taken, `web create` and `create web`; a sandbox that
 * is called as an action is comes first.
 */
export function snapshotWish([first = "", second, name]: readonly string[]): {
  id: string;
  action: Action;
  name: string | undefined;
} {
  if (second === undefined) return { id: first, action: "ls", name };
  if (isAction(second)) return { id: first, action: second, name };
  if (isAction(first)) return { id: second, action: first, name };
  throw wrongUsage(`berth snapshot knows create, ls and rm, not "${second}".`);
}

function isAction(word: string): word is Action {
  return actions.some((action) => action === word);
}

async function list(session: Session, id: string): Promise<void> {
  const { output, signal } = session;
  const client = await session.client();
  const page = await client.call(listSnapshots, { params: { id } }, { signal });
  const now = session.surroundings.clock.now();
  const rows = page.items.map(({ name, takenAt, running, current, parent, description }) => [
    current ? `${name} *` : name,
    takenAt === null ? "" : ago(takenAt, now),
    running === null ? "" : running ? "running" : "stopped",
    parent ?? "",
    harmless(description.split("\n")[0] ?? ""),
  ]);
  output.result(page, () => output.table(["SNAPSHOT", "AGE", "WHILE", "AFTER", "DESCRIPTION"], rows));
}

async function take(session: Session, command: Command, id: string, name: string | undefined): Promise<Operation> {
  const client = await session.client();
  const description = textOption(command, "description");
  const body = {
    name: name ?? nameOf(new Date(session.surroundings.clock.now())),
    ...(description === undefined ? {} : { description }),
  };
  const call = { signal: session.signal, idempotencyKey: `snapshot-${randomKey()}` };
  return (await client.call(createSnapshot, { params: { id }, body }, call)).operation;
}

/** `at-2026-11-21-18-04-59`. */
export function nameOf(time: Date): string {
  return `at-${time.toISOString().slice(0, 19).replace(/[T:]/g, "-")}`;
}

async function remove(session: Session, id: string, name: string | undefined): Promise<Operation> {
  if (name === undefined) throw wrongUsage("berth snapshot NAME rm needs the snapshot's name.");
  const client = await session.client();
  return (await client.call(deleteSnapshot, { params: { id, name } }, { signal: session.signal })).operation;
}

/** `berth rollback`: goes back to a snapshot, once that was confirmed. */
export function rollbackCommand(run: Run): Command {
  const command = describe("rollback", {
    summary: "Go back to a snapshot of a sandbox; what came after it is lost",
    examples: ["berth rollback web before-upgrade", "berth rollback web before-upgrade --yes"],
    group: groups.fleet,
  })
    .addArgument(sandboxArgument())
    .argument("<snapshot>", "its name")
    .option("-y, --yes", "do not ask")
    .option("--no-wait", "do not wait until it is done");
  return does(command, run, async (session, at) => {
    const [id, name] = [argument(at, 0), argument(at, 1)];
    if (!flag(at, "yes")) await confirmRollback(session, id, name);
    const client = await session.client();
    const call = { signal: session.signal, idempotencyKey: `rollback-${randomKey()}` };
    await tellOperation(session, at, (await client.call(rollbackSnapshot, { params: { id, name } }, call)).operation);
    return undefined;
  });
}

async function confirmRollback({ surroundings }: Session, id: string, name: string): Promise<void> {
  if (!surroundings.stdin.isTTY) {
    throw new CommandFailed(exitCodes.usage, "usage", "Nobody is here to confirm it.", "Say --yes to go back.");
  }
  if (await confirm(surroundings, `Put ${id} back to ${name}, and lose what came after it?`)) return;
  throw new CommandFailed(exitCodes.failed, "declined", `${id} is left as it is.`);
}

/** `berth fork`: makes a copy of a sandbox. */
export function forkCommand(run: Run): Command {
  const command = describe("fork", {
    summary: "Make a copy of a sandbox, with its Claude conversations and an identity of its own",
    more: "It may run meanwhile where its storage takes snapshots; both go on from there, apart.",
    examples: ["berth fork web web-2", "berth fork web --snapshot before-upgrade", "berth fork web && berth ls"],
    group: groups.fleet,
  })
    .addArgument(sandboxArgument())
    .argument("[name]", "how the copy is called; a name is made up by default")
    .option("--snapshot <name>", "as it was at this snapshot")
    .option("--no-start", "leave the copy stopped")
    .option("--no-wait", "do not wait until it is ready");
  return does(command, run, async (session, at) => {
    const { output, signal } = session;
    const client = await session.client();
    const [id = "", name] = at.args;
    const snapshot = textOption(at, "snapshot");
    const body = {
      ...(name === undefined ? {} : { name }),
      ...(snapshot === undefined ? {} : { snapshot }),
      ...(flag(at, "start") ? {} : { start: false }),
    };
    const call = { signal, idempotencyKey: `fork-${randomKey()}` };
    const begun = await client.call(forkSandbox, { params: { id }, body }, call);
    if (!flag(at, "wait")) {
      output.result(begun, () => `${begun.sandbox.name}\n`);
      return undefined;
    }
    const operation = await followOperation(session, begun.operation);
    const sandbox = await client.call(getSandbox, { params: { id: begun.sandbox.id } }, { signal });
    output.result({ sandbox, operation }, () => `${sandbox.name}\n`);
    return undefined;
  });
}
