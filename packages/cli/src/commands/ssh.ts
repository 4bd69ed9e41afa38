import { stat } from "node:fs/promises";
import type { Command } from "commander";
import { exitCodes } from "../exit-codes.ts";
import { CommandFailed, notFound, unreachable, wrongUsage } from "../failure.ts";
import { argument, flag } from "../options.ts";
import { harmless } from "../output/style.ts";
import type { Session } from "../session.ts";
import { type ConfiguredSandbox, hostAlias, type SshConfigFacts } from "../ssh/files.ts";
import { prepareSsh } from "../ssh/prepare.ts";
import { reachableSandbox, refuseOff } from "../ssh/reachable.ts";
import { noConnectionCode, runProgramHere } from "../ssh/run.ts";
import { describe, does, groups, type Run, sandboxArgument } from "./register.ts";

/** `berth ssh`: the real OpenSSH client, through the controller's gateway. */
export function sshCommand(run: Run): Command {
  const command = describe("ssh", {
    summary: "Sign in to a sandbox by SSH, or run a command there",
    more: `OpenSSH's own client runs, with a key of this machine's that is registered at the first time. What follows -- is
read by the shell in the sandbox, as ssh always has it. berth ends with its exit code; 255 is ssh's own. With --json
what the command writes comes as lines of JSON, and last its exit code.`,
    examples: [
      "berth ssh web",
      "berth ssh web -- 'cd src && make'",
      "tar c . | berth ssh web -- tar x -C /workspace",
      "berth ssh web -A                 # with your agent",
      "berth ssh web --claude           # leave it by ~.",
    ],
    group: groups.files,
  })
    .addArgument(sandboxArgument())
    .argument("[command...]", "run this instead of a shell")
    .option("-A, --forward-agent", "let programs there use your SSH agent")
    .option("-t, --tty", "a terminal for the command, too")
    .option("--claude", "its Claude, instead of a shell");
  return does(command, run, ssh);
}

async function ssh(session: Session, at: Command): Promise<number> {
  const { output, signal } = session;
  const remote = at.args.slice(1);
  if (output.json && remote.length === 0) {
    throw wrongUsage("A shell to type into has no JSON.", "Name a command: berth ssh web --json -- ls.");
  }
  const { name } = await reachableSandbox(session, argument(at, 0));
  const { files, facts } = await prepareSsh(session);
  const options = [
    ...(flag(at, "forwardAgent") ? ["-A"] : []),
    ...(flag(at, "tty") || flag(at, "claude") ? ["-t"] : []),
  ];
  const host = hostAlias(name, facts.profile);
  const target = flag(at, "claude") ? `claude.${host}` : host;
  // Behind the host, too, ssh looks for options of its own until it is told that there are none.
  const command = remote.length === 0 ? [] : ["--", ...remote];
  const argv = ["ssh", ...options, "-F", files.config, target, ...command] as const;
  if (!output.json) return runProgramHere(argv, signal);
  const code = await runProgramHere(argv, signal, {
    stdout: (stdout) => output.line({ stdout }),
    stderr: (stderr) => output.line({ stderr }),
  });
  await output.line({ exit: { code } });
  return code;
}

/** `berth cp`: files and folders there and back, by scp. */
export function cpCommand(run: Run): Command {
  const command = describe("cp", {
    summary: "Copy files and folders into a sandbox, or out of it",
    more: "A path in a sandbox is SANDBOX:PATH; one that does not begin with / is below its user's home.",
    examples: [
      "berth cp notes.md web:/workspace/",
      "berth cp web:/workspace/dist ./dist -r",
      "berth cp -- -odd-name web:/tmp/",
    ],
    group: groups.files,
  })
    .argument("<from>", "what to copy")
    .argument("<to...>", "where to; of several the last one, and the others are copied too")
    .option("-r, --recursive", "folders with all that is in them");
  return does(command, run, copy);
}

async function copy(session: Session, at: Command): Promise<undefined> {
  const { output, signal } = session;
  const { files, facts } = await prepareSsh(session);
  const paths = at.args.map((path) => scpPath(path, facts));
  if (!paths.some(({ remote }) => remote)) {
    throw wrongUsage("No path is in a sandbox.", "One looks like web:/workspace/file.");
  }
  for (const { remote } of paths) if (remote) refuseOff(remote);
  for (const { text, remote } of paths.slice(0, -1)) if (!remote) await mustBeThere(text);
  const options = flag(at, "recursive") ? ["-r"] : [];
  const quiet = output.quiet || output.json ? ["-q"] : [];
  const words = paths.map(({ text }) => text);
  let said = "";
  const keep = (text: string) => {
    said = `${said}${text}`.slice(-saidCharacters);
  };
  const code = await runProgramHere(
    ["scp", ...options, ...quiet, "-p", "-F", files.config, "--", ...words],
    signal,
    output.json ? { stderr: keep } : {},
  );
  signal.throwIfAborted();
  const why = said === "" ? "" : ` ${harmless(said).trim()}`;
  if (code === noConnectionCode) {
    throw unreachable(`Not everything was copied: the connection failed or was cut.${why}`, "Try berth ssh SANDBOX.");
  }
  if (code !== 0) throw new CommandFailed(exitCodes.failed, "copy_failed", `Not everything was copied.${why}`);
  output.result({ from: at.args.slice(0, -1), to: at.args.at(-1) }, () => "");
  return undefined;
}

/** What is to be copied from here: scp's exit code for one that is missing is that of a connection that failed. */
async function mustBeThere(path: string): Promise<void> {
  const isThere = await stat(path).then(
    () => true,
    () => false,
  );
  if (!isThere) throw notFound(`There is no file ${path} on this machine.`, "A path in a sandbox is SANDBOX:PATH.");
}

/** What is told of scp's own words in JSON. */
const saidCharacters = 2_000;

/** A path as scp takes it: with a host, or as one that cannot be taken for a host. */
export function scpPath(
  path: string,
  { sandboxes, profile }: Pick<SshConfigFacts, "sandboxes" | "profile">,
): { text: string; remote: ConfiguredSandbox | undefined } {
  const [, reference, rest] = /^([a-z0-9][a-z0-9_-]{0,62}):(.*)$/s.exec(path) ?? [];
  // One that begins otherwise is a path for sure.
  if (reference === undefined) return { text: /^[./]/.test(path) ? path : `./${path}`, remote: undefined };
  const sandbox = sandboxes.find(({ id, name }) => name === reference || id === reference);
  if (!sandbox) throw notFound(`There is no sandbox "${reference}".`, `Say ./${path} if it is a file of this machine.`);
  return { text: `${hostAlias(sandbox.name, profile)}:${rest}`, remote: sandbox };
}
