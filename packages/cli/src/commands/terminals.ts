import { constants } from "node:os";
import {
  createTerminal,
  deleteTerminal,
  everyPage,
  getSandbox,
  getTerminal,
  listSandboxes,
  listTerminals,
  type RouteInput,
  randomKey,
  type Sandbox,
  type Terminal,
} from "@berth/protocol";
import { type Command, Option } from "commander";
import { type AttachEnd, attach } from "../attach/attach.ts";
import { defaultDetachKeys } from "../attach/detach-keys.ts";
import { JsonFront, PipeFront } from "../attach/pipe-front.ts";
import { TerminalFront } from "../attach/terminal-front.ts";
import { conflict, notFound, wrongUsage } from "../failure.ts";
import { argument, flag, textOption } from "../options.ts";
import type { Session } from "../session.ts";
import { refuseOff } from "../ssh/reachable.ts";
import { describe, does, groups, optionalSandbox, type Run, sandboxArgument } from "./register.ts";

const detachOption = () =>
  new Option("--detach-keys <keys>", `leave and let it run; "none" for none (default: "${defaultDetachKeys}")`);
const more = `It goes on in the sandbox when you leave it by ${defaultDetachKeys}, close the window or lose the network; when the
connection comes back the screen goes on at the very byte, and what was typed meanwhile is sent.`;

type TerminalWish = RouteInput<typeof createTerminal>["body"];

/** `berth attach`. */
export function attachCommand(run: Run): Command {
  const command = describe("attach", {
    summary: "Show a running terminal here, and type into it",
    more,
    examples: [
      "berth attach web                 # its latest terminal",
      "berth attach trm_…",
      'berth attach web --detach-keys "C-p C-q"',
    ],
    group: groups.terminals,
  })
    .argument("<sandbox|terminal>", "a sandbox, or the id of one of its terminals")
    .addOption(detachOption());
  return does(command, run, async (session, at) => {
    needTerminal(session);
    const subject = argument(at, 0);
    const terminal = subject.startsWith("trm_")
      ? await (await session.client()).call(getTerminal, { params: { id: subject } }, { signal: session.signal })
      : latest(await running(session, await readySandbox(session, subject)), subject);
    return show(session, at, terminal);
  });
}

/** `berth claude`: goes on with the Claude of a sandbox, or starts one. */
export function claudeCommand(run: Run): Command {
  const command = describe("claude", {
    summary: "Go on with Claude in a sandbox, or start it there",
    more,
    examples: ["berth claude web", "berth claude                     # of the only sandbox", "berth claude web --new"],
    group: groups.terminals,
  })
    .addArgument(optionalSandbox())
    .option("--new", "start another one beside those that run")
    .option("--resume <conversation>", "start one that goes on with this conversation")
    .addOption(detachOption());
  return does(command, run, async (session, at) => {
    needTerminal(session);
    const sandbox = await readySandbox(session, at.args[0] ?? (await onlySandbox(session)));
    const resume = textOption(at, "resume");
    const open = flag(at, "new") || resume !== undefined ? [] : await running(session, sandbox, "claude");
    const wish: TerminalWish = { kind: "claude", ...(resume === undefined ? {} : { resume }) };
    return show(session, at, open[0] ?? (await opened(session, sandbox, wish)));
  });
}

/** `berth shell`: another shell in a sandbox. */
export function shellCommand(run: Run): Command {
  const command = describe("shell", {
    summary: "Open a shell in a sandbox",
    more,
    examples: ["berth shell web", "berth shell web --cwd src"],
    group: groups.terminals,
  })
    .addArgument(sandboxArgument())
    .option("--cwd <folder>", "where it begins; the workspace by default")
    .addOption(detachOption());
  return does(command, run, async (session, at) => {
    needTerminal(session);
    const sandbox = await readySandbox(session, argument(at, 0));
    const cwd = textOption(at, "cwd");
    const wish: TerminalWish = { kind: "shell", ...(cwd === undefined ? {} : { cwd }) };
    return show(session, at, await opened(session, sandbox, wish));
  });
}

/** `berth exec`: one program in a sandbox; ends with its exit code. */
export function execCommand(run: Run): Command {
  const command = describe("exec", {
    summary: "Run a program in a sandbox, in a terminal of its own",
    more: `berth ends with the program's exit code, or 128 and more if a signal ended it. Input is taken from a terminal
only; for pipes use berth ssh. With --json its output comes as lines of JSON, and last how it ended.`,
    examples: ["berth exec web -- npm test", "berth exec web --cwd src -- ls -la", "berth exec web -- vim README.md"],
    group: groups.terminals,
  })
    .addArgument(sandboxArgument())
    .argument("<program...>", "the program and its arguments; no shell reads them")
    .option("--cwd <folder>", "where it begins; the workspace by default")
    .option("--keep", "leave its terminal there when it has ended")
    .addOption(detachOption());
  return does(command, run, execute);
}

async function execute(session: Session, command: Command): Promise<number | undefined> {
  const [, ...argv] = command.args;
  const sandbox = await readySandbox(session, argument(command, 0));
  const cwd = textOption(command, "cwd");
  const terminal = await opened(session, sandbox, { kind: "exec", argv, ...(cwd === undefined ? {} : { cwd }) });
  const typed = session.surroundings.stdin.isTTY === true && session.output.stdout.isTTY === true;
  const front = session.output.json
    ? new JsonFront(session.output)
    : typed
      ? new TerminalFront(session.surroundings, { ...detachKeys(command), inline: true })
      : new PipeFront(session.output);
  const end = await attach(session, { terminal, fromStart: true, front });
  if (end.how === "detached") return told(session, terminal, end);
  if (session.output.json) await session.output.line({ terminalId: terminal.id, exit: end.exit });
  if (!flag(command, "keep")) await (await session.client()).call(deleteTerminal, { params: { id: terminal.id } });
  return exitCodeOf(end);
}

/** As shells have it: 128 and the signal's number where one ended it; 128 where its sandbox stopped. */
function exitCodeOf({ exit }: Extract<AttachEnd, { how: "exited" }>): number {
  if (exit.code !== null) return exit.code;
  return 128 + (Object.entries(constants.signals).find(([name]) => name === exit.signal)?.[1] ?? 0);
}

function detachKeys(command: Command): { detachKeys?: string } {
  const keys = textOption(command, "detachKeys");
  return keys === undefined ? {} : { detachKeys: keys };
}

async function show(session: Session, command: Command, terminal: Terminal): Promise<undefined> {
  const front = new TerminalFront(session.surroundings, { ...detachKeys(command), inline: false });
  const end = await attach(session, { terminal, fromStart: false, front });
  return told(session, terminal, end);
}

function told({ output }: Session, terminal: Terminal, end: AttachEnd): undefined {
  if (output.json) {
    output.result({ terminalId: terminal.id, exit: end.how === "detached" ? null : end.exit }, () => "");
    return;
  }
  if (end.how === "detached") output.note(`Detached. It goes on; come back with: berth attach ${terminal.id}`);
  else if (end.exit.signal !== null) output.note(`The program was ended by ${end.exit.signal}.`);
  else if (end.exit.code === null) output.note("The program ended when its sandbox stopped.");
  else output.note(`The program exited with code ${end.exit.code}.`);
}

function needTerminal({ surroundings: { stdin, stdout } }: Session): void {
  if (stdin.isTTY && stdout.isTTY) return;
  throw wrongUsage(
    "This needs a terminal on both ends.",
    "Scripts use berth exec, or the calls of a terminal's input and screen.",
  );
}

/** Rejects where nothing can run in it now. What sleeps is woken by its use, which waits for that. */
async function readySandbox(session: Session, id: string): Promise<Sandbox> {
  const sandbox = await (await session.client()).call(getSandbox, { params: { id } }, { signal: session.signal });
  if (sandbox.state === "ready") return sandbox;
  if (sandbox.state === "asleep") {
    session.output.note(`${sandbox.name} is asleep: waking it.`);
    return sandbox;
  }
  refuseOff(sandbox);
  const hint = `Try again when it is ready: berth logs ${sandbox.name} --follow.`;
  throw conflict("sandbox_not_ready", `${sandbox.name} is ${sandbox.state}.`, hint);
}

async function onlySandbox(session: Session): Promise<string> {
  const { items } = await (await session.client()).call(listSandboxes, { query: { limit: 2 } });
  const [only, second] = items;
  if (!only) throw notFound("There is no sandbox yet.", "Make one with berth new NAME.");
  if (second) throw wrongUsage("There are several sandboxes: which one?", "berth ls lists them.");
  return only.id;
}

/** Its terminals that have not ended, the newest first. */
async function running(session: Session, sandbox: Sandbox, kind?: Terminal["kind"]): Promise<Terminal[]> {
  const client = await session.client();
  const call = { signal: session.signal };
  const all = await everyPage((query) => client.call(listTerminals, { params: { id: sandbox.id }, query }, call));
  return all
    .filter((terminal) => terminal.state !== "exited" && (kind === undefined || terminal.kind === kind))
    .toSorted((one, other) => other.createdAt.localeCompare(one.createdAt));
}

function latest([terminal]: readonly Terminal[], sandbox: string): Terminal {
  if (terminal) return terminal;
  throw notFound(`Nothing runs in ${sandbox}.`, `Start something: berth claude ${sandbox}, or berth shell ${sandbox}.`);
}

async function opened(session: Session, sandbox: Sandbox, wish: TerminalWish): Promise<Terminal> {
  const { columns, rows, isTTY } = session.output.stdout;
  const size = isTTY && columns && rows ? { cols: columns, rows } : {};
  const call = { signal: session.signal, idempotencyKey: `open-${randomKey()}` };
  const client = await session.client();
  return client.call(createTerminal, { params: { id: sandbox.id }, body: { ...wish, ...size } }, call);
}
