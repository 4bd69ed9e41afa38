import { backoffMs } from "@berth/base";
import { BerthError, getSandbox, type Sandbox } from "@berth/protocol";
import type { Command } from "commander";
import { conflict, unreachable, wrongUsage } from "../failure.ts";
import { argument, textsOption } from "../options.ts";
import { harmless } from "../output/style.ts";
import type { Session } from "../session.ts";
import { hostAlias } from "../ssh/files.ts";
import { type Forwarding, forwardingOf, mustBeFree } from "../ssh/forwards.ts";
import { prepareSsh } from "../ssh/prepare.ts";
import { reachableSandbox } from "../ssh/reachable.ts";
import { runProgramHere } from "../ssh/run.ts";
import { collect, describe, does, groups, type Run, sandboxArgument } from "./register.ts";

/** How long a forwarding holds at least that was once up, in milliseconds: one that ends sooner cannot be had. */
const settledMs = 3_000;
/** What is kept of ssh's own words, to say why there is none. */
const saidCharacters = 4_000;

/** `berth forward`: ports of a sandbox here, and ports of this machine there. */
export function forwardCommand(run: Run): Command {
  const command = describe("forward", {
    summary: "Forward TCP ports of a sandbox to this machine, or the other way",
    more: `Until Ctrl-C; a connection that is cut is made again. PORT is the same on both sides; PORT:THERE differs, and
PORT:HOST:THERE reaches on to another host. -R opens a port in the sandbox that leads to this machine.`,
    examples: [
      "berth forward web 3000",
      "berth forward web 8080:3000 5432",
      "berth forward web -R 9000:127.0.0.1:9000",
    ],
    group: groups.files,
  })
    .addArgument(sandboxArgument())
    .argument("[port...]", "ports of the sandbox to have here")
    .option("-L <port>", "the same; may be repeated", collect, [])
    .option("-R <port>", "a port of this machine to have in the sandbox; may be repeated", collect, []);
  return does(command, run, forward);
}

async function forward(session: Session, command: Command): Promise<never> {
  const here = [...command.args.slice(1), ...textsOption(command, "L")].map(forwardingOf);
  const there = textsOption(command, "R").map(forwardingOf);
  if (here.length + there.length === 0) throw wrongUsage("No port is named.", "For example: berth forward web 3000.");
  const sandbox = await reachableSandbox(session, argument(command, 0));
  const ssh = await prepareSsh(session);
  for (const forwarding of here) await mustBeFree(forwarding);
  const options = [...here.flatMap(({ spec }) => ["-L", spec]), ...there.flatMap(({ spec }) => ["-R", spec])];
  for (const forwarding of here) tell(session, sandbox, forwarding, "here");
  for (const forwarding of there) tell(session, sandbox, forwarding, "there");
  return hold(session, sandbox, [...options, "-F", ssh.files.config, hostAlias(sandbox.name, ssh.facts.profile)]);
}

function tell({ output }: Session, { name }: Sandbox, { listen, target }: Forwarding, side: "here" | "there"): void {
  const words =
    side === "here" ? `${listen} leads to ${target} in ${name}.` : `${listen} in ${name} leads to ${target} here.`;
  if (output.json) output.item({ sandbox: name, opened: side, listen, target }, () => undefined);
  else output.note(words);
}

/** Holds a forwarding until Ctrl-C; rejects if it cannot be had at all, or when the sandbox is no more. */
async function hold(session: Session, { id, name }: Sandbox, args: readonly string[]): Promise<never> {
  const { signal, surroundings, output } = session;
  const fixed = ["ssh", "-N", "-T", "-o", "ExitOnForwardFailure=yes", "-o", "BatchMode=yes"] as const;
  let wasUp = false;
  for (let failures = 0; ; failures += 1) {
    const begun = surroundings.clock.now();
    let said = "";
    await runProgramHere([...fixed, ...args], signal, {
      stderr: (text) => {
        said = `${said}${text}`.slice(-saidCharacters);
      },
    });
    signal.throwIfAborted();
    if (surroundings.clock.now() - begun > settledMs) {
      wasUp = true;
      failures = 0;
    }
    if (!wasUp) throw whyNot(name, said);
    if (failures === 0) output.note("The connection is away; making it again.");
    await surroundings.clock.sleep(backoffMs(failures, { firstMs: 500, maxMs: 10_000 }), signal);
    await stillThere(session, id);
  }
}

/** What ssh says, as an error with its cure. */
function whyNot(name: string, said: string): Error {
  const words = harmless(said).trim();
  const [, port] = /remote port forwarding failed for listen port (\d+)/.exec(said) ?? [];
  if (port !== undefined) {
    const hint = `Take another one: berth forward ${name} -R OTHER:${port}.`;
    return conflict(
      "port_taken",
      `Port ${port} cannot be opened in ${name}; something there may have it already.`,
      hint,
    );
  }
  return unreachable(`${name} cannot be reached by SSH: ${words || "ssh does not say why"}`, `Try berth ssh ${name}.`);
}

/** Rejects when the sandbox is gone or its user signed out: whatever else is wrong may pass. */
async function stillThere(session: Session, id: string): Promise<void> {
  try {
    await (await session.client()).call(getSandbox, { params: { id } }, { signal: session.signal });
  } catch (error) {
    session.signal.throwIfAborted();
    if (error instanceof BerthError && [401, 403, 404].includes(error.status)) throw error;
  }
}
