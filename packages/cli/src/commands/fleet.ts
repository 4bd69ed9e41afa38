import {
  BerthError,
  deleteSandbox,
  everyPage,
  getSandbox,
  listSandboxes,
  listTerminals,
  type Operation,
  randomKey,
  restartSandbox,
  type Sandbox,
  sleepSandbox,
  startSandbox,
  stopSandbox,
  type Terminal,
  wakeSandbox,
} from "@berth/protocol";
import type { Command } from "commander";
import { confirm } from "../ask.ts";
import { openInBrowser } from "../browser.ts";
import { exitCodes } from "../exit-codes.ts";
import { CommandFailed, conflict } from "../failure.ts";
import { followOperation } from "../operation.ts";
import { flag } from "../options.ts";
import { ago } from "../output/ago.ts";
import { harmless, type Look } from "../output/style.ts";
import { useWords } from "../output/use-words.ts";
import type { Session } from "../session.ts";
import { describe, does, groups, optionalSandbox, type Run, sandboxesArgument } from "./register.ts";

/** `berth ls`: the sandboxes, or the terminals of one. */
export function lsCommand(run: Run): Command {
  const command = describe("ls", {
    summary: "List sandboxes, or the terminals of one",
    examples: [
      "berth ls",
      "berth ls web",
      "berth ls --quiet              # names alone",
      "berth ls --json | jq '.items[].state'",
    ],
    group: groups.fleet,
  }).argument("[sandbox]", "list its terminals");
  return does(command, run, async (session, { args: [sandbox] }) => {
    if (sandbox === undefined) await listFleet(session);
    else await listTerminalsOf(session, sandbox);
    return undefined;
  });
}

const looks: Partial<Record<Sandbox["state"], Look>> = {
  ready: "green",
  failed: "red",
  stopped: "dim",
  asleep: "dim",
};

async function listFleet(session: Session): Promise<void> {
  const { output, signal } = session;
  const client = await session.client();
  const items = await everyPage((query) => client.call(listSandboxes, { query }, { signal }));
  const now = session.surroundings.clock.now();
  const rows = items.map((sandbox) => [
    sandbox.name,
    output.style(looks[sandbox.state] ?? "yellow", sandbox.state),
    useWords(sandbox, now),
    sandbox.node ?? "",
    `${sandbox.cores} × ${sandbox.memoryMiB} MiB`,
    sandbox.address ?? "",
    ago(sandbox.createdAt, now),
  ]);
  output.result({ items, nextCursor: null }, () => {
    const table = output.table(["NAME", "STATE", "USE", "NODE", "SIZE", "ADDRESS", "AGE"], rows);
    return output.quiet ? table : table + conditionLines(items);
  });
  if (items.length === 0 && !output.json) output.note("There is no sandbox yet; make one with berth new NAME.");
}

/** Of each sandbox that is not as it is wanted, why, and what to do; nothing where all are. */
export function conditionLines(
  sandboxes: readonly Pick<Sandbox, "name" | "error" | "drift" | "restartNeeded">[],
): string {
  const lines = sandboxes.flatMap(({ name, error, drift, restartNeeded }) => [
    ...(error === null ? [] : [`${name}: ${harmless([error.message, error.hint].filter(Boolean).join(" "))}`]),
    ...drift.map(({ setting, wanted, found }) => `${name}: changed in Proxmox: ${setting} is ${found}, not ${wanted}`),
    ...(restartNeeded.length > 0 ? [`${name}: from the next restart on: ${restartNeeded.join(", ")}`] : []),
  ]);
  return lines.length === 0 ? "" : `\n${lines.join("\n")}\n`;
}

async function listTerminalsOf(session: Session, sandbox: string): Promise<void> {
  const { output, signal } = session;
  const client = await session.client();
  const items = await everyPage((query) => client.call(listTerminals, { params: { id: sandbox }, query }, { signal }));
  const now = session.surroundings.clock.now();
  const rows = items.map((terminal) => [
    terminal.id,
    terminal.kind,
    terminal.attention === null ? stateOf(terminal) : `${stateOf(terminal)}, ${terminal.attention}`,
    ago(terminal.createdAt, now),
    harmless(terminal.title),
  ]);
  output.result({ items, nextCursor: null }, () => output.table(["TERMINAL", "KIND", "STATE", "AGE", "TITLE"], rows));
}

function stateOf({ state, exit }: Terminal): string {
  return exit === null ? state : `${state} (${exit.signal ?? exit.code ?? "its sandbox stopped"})`;
}

const power = {
  start: { route: startSandbox, summary: "Start sandboxes" },
  stop: { route: stopSandbox, summary: "Stop sandboxes" },
  restart: { route: restartSandbox, summary: "Stop sandboxes and start them again" },
  sleep: { route: sleepSandbox, summary: "Put sandboxes to sleep until something uses them" },
  wake: { route: wakeSandbox, summary: "Wake sandboxes that sleep" },
} as const;

/** `berth start`, `stop`, `restart`, `sleep` and `wake`. */
export function powerCommand(run: Run, verb: keyof typeof power): Command {
  const { route, summary } = power[verb];
  const command = describe(verb, {
    summary,
    examples: [`berth ${verb} web`, `berth ${verb} web api --no-wait`],
    group: groups.fleet,
  })
    .addArgument(sandboxesArgument())
    .option("--no-wait", "do not wait until it is done");
  return does(command, run, async (session, at) => {
    const client = await session.client();
    for (const id of at.args) {
      const call = { signal: session.signal, idempotencyKey: `${verb}-${randomKey()}` };
      const { operation } = await client.call(route, { params: { id } }, call);
      await tellOperation(session, at, operation);
    }
    return undefined;
  });
}

/** Waits for an operation unless that is not wanted, and answers it to the user, in words of its own if there are any. */
export async function tellOperation(
  session: Session,
  command: Command,
  begun: Operation,
  words: (operation: Operation) => string | undefined = () => undefined,
): Promise<void> {
  const { output } = session;
  const operation = flag(command, "wait") ? await followOperation(session, begun) : begun;
  output.item({ operation }, () => {
    const own = words(operation);
    if (own !== undefined) return output.quiet ? undefined : own;
    if (output.quiet || output.live) return undefined;
    return `${operation.sandboxName ?? operation.id}: ${operation.kind} ${operation.state}\n`;
  });
}

/** `berth rm`: destroys sandboxes, once that was confirmed. */
export function rmCommand(run: Run): Command {
  const command = describe("rm", {
    summary: "Destroy sandboxes, and all that is in them",
    more: `A sandbox whose repository has work that is nowhere else is only destroyed with --discard, or when you say so again;
a copy of that work is kept by the controller for a while.`,
    examples: ["berth rm web", "berth rm web api --yes", "berth rm web --yes --discard"],
    group: groups.fleet,
  })
    .addArgument(sandboxesArgument())
    .option("-y, --yes", "do not ask")
    .option("--discard", "also with commits that were not pushed and files that were not committed")
    .option("--no-wait", "do not wait until it is done");
  return does(command, run, async (session, at) => {
    const client = await session.client();
    for (const id of at.args) {
      const sandbox = await client.call(getSandbox, { params: { id } }, { signal: session.signal });
      if (!flag(at, "yes")) await confirmDestruction(session, sandbox);
      await tellOperation(session, at, await destroy(session, sandbox, flag(at, "discard")));
    }
    return undefined;
  });
}

/** Wants it destroyed; work that would be lost with it is asked for again, where somebody is there to answer. */
async function destroy(session: Session, sandbox: Sandbox, discard: boolean): Promise<Operation> {
  const { signal, surroundings, output } = session;
  const client = await session.client();
  const input = { params: { id: sandbox.id }, query: discard ? { discard } : {} };
  try {
    return (await client.call(deleteSandbox, input, { signal })).operation;
  } catch (error) {
    if (!(error instanceof BerthError) || error.code !== "unsaved_work") throw error;
    const hint = (error.hint ?? "Push it, or say --discard.").replace("discard=true", "--discard");
    if (!surroundings.stdin.isTTY) throw conflict(error.code, error.message, hint);
    output.note(error.message);
    if (await confirm(surroundings, "Destroy it all the same?")) return destroy(session, sandbox, true);
    throw left(sandbox);
  }
}

async function confirmDestruction(session: Session, sandbox: Sandbox): Promise<void> {
  if (!session.surroundings.stdin.isTTY) {
    throw new CommandFailed(exitCodes.usage, "usage", "Nobody is here to confirm it.", "Say --yes to destroy it.");
  }
  if (await confirm(session.surroundings, `Destroy ${sandbox.name} and all that is in it?`)) return;
  throw left(sandbox);
}

function left({ name }: Sandbox): CommandFailed {
  return new CommandFailed(exitCodes.failed, "declined", `${name} is left as it is.`);
}

/** `berth open`: the console in a browser. */
export function openCommand(run: Run): Command {
  const command = describe("open", {
    summary: "Open the console in a browser; without one, print its address",
    examples: ["berth open", "berth open web"],
    group: groups.more,
  }).addArgument(optionalSandbox());
  return does(command, run, async (session, { args: [id] }) => {
    const controller = await session.controller();
    const path = id === undefined ? "/" : `/sandboxes/${await nameOf(session, id)}`;
    const url = `${controller.url}${path}`;
    const opened = !session.output.json && (await openInBrowser(session.environment, url));
    session.output.result({ url }, () => (opened ? "" : `${url}\n`));
    return undefined;
  });
}

async function nameOf(session: Session, id: string): Promise<string> {
  const client = await session.client();
  return (await client.call(getSandbox, { params: { id } }, { signal: session.signal })).name;
}
