import { Command, CommanderError } from "commander";
import { keysCommand, profileCommand, tokensCommand, whoamiCommand } from "./commands/account.ts";
import { adoptCommand } from "./commands/adopt.ts";
import { cancelCommand } from "./commands/cancel.ts";
import { completeCommand, completionCommand } from "./commands/completion.ts";
import { diffCommand } from "./commands/diff.ts";
import { doctorCommand } from "./commands/doctor.ts";
import { lsCommand, openCommand, powerCommand, rmCommand } from "./commands/fleet.ts";
import { folderCommand } from "./commands/folder.ts";
import { forwardCommand } from "./commands/forward.ts";
import { gitCommand } from "./commands/git.ts";
import { keptCommand } from "./commands/kept.ts";
import { loginCommand, logoutCommand } from "./commands/login.ts";
import { logsCommand } from "./commands/logs.ts";
import { newCommand } from "./commands/new.ts";
import { nodesCommand } from "./commands/nodes.ts";
import { poolCommand } from "./commands/pool.ts";
import type { Run } from "./commands/register.ts";
import { sessionsCommand } from "./commands/sessions.ts";
import { setCommand } from "./commands/set.ts";
import { forkCommand, rollbackCommand, snapshotCommand } from "./commands/snapshots.ts";
import { cpCommand, sshCommand } from "./commands/ssh.ts";
import { sshConfigCommand } from "./commands/ssh-config.ts";
import { syncCommand } from "./commands/sync.ts";
import { templateCommand } from "./commands/template.ts";
import { attachCommand, claudeCommand, execCommand, shellCommand } from "./commands/terminals.ts";
import { exitCodeHelp, exitCodes } from "./exit-codes.ts";
import { type CommandFailed, tell, wrongUsage } from "./failure.ts";
import { Output } from "./output/output.ts";
import { Session, type Surroundings } from "./session.ts";
import { version } from "./version.ts";

const environmentHelp = `Environment:
  BERTH_URL, BERTH_TOKEN             a controller and an API token, in place of berth login
  BERTH_CA_FILE, BERTH_FINGERPRINT   whom to believe at an https address
  BERTH_PROFILE                      the profile to use, as --profile
  NO_COLOR                           no colours`;

/** Every command, in the order of the help. */
function commands(run: Run, root: () => Command): Command[] {
  return [
    lsCommand(run),
    newCommand(run),
    rmCommand(run),
    powerCommand(run, "start"),
    powerCommand(run, "stop"),
    powerCommand(run, "restart"),
    powerCommand(run, "sleep"),
    powerCommand(run, "wake"),
    setCommand(run),
    snapshotCommand(run),
    rollbackCommand(run),
    forkCommand(run),
    logsCommand(run),
    cancelCommand(run),
    keptCommand(run),
    nodesCommand(run),
    claudeCommand(run),
    attachCommand(run),
    shellCommand(run),
    execCommand(run),
    sshCommand(run),
    cpCommand(run),
    diffCommand(run),
    gitCommand(run),
    syncCommand(run),
    folderCommand(run),
    forwardCommand(run),
    sshConfigCommand(run),
    sessionsCommand(run),
    loginCommand(run),
    logoutCommand(run),
    whoamiCommand(run),
    profileCommand(run),
    keysCommand(run),
    tokensCommand(run),
    templateCommand(run),
    doctorCommand(run),
    adoptCommand(run),
    poolCommand(run),
    openCommand(run),
    completionCommand(run),
    completeCommand(run, root),
  ];
}

/** The whole command line; its commands run by `run`. */
export function program(run: Run): Command {
  const root = new Command("berth")
    .description("Sandboxes for Claude Code on your own Proxmox VE, from a terminal.")
    .version(version, "-V, --version", "the version")
    .option("--json", "results as JSON, in the API's own shapes; one value a line where there are several")
    .option("-q, --quiet", "no progress and no remarks; lists show names alone")
    .option("--profile <name>", "the controller to speak with, by its profile")
    .helpCommand(false)
    .addHelpText("after", `\n${environmentHelp}\n\n${exitCodeHelp}`);
  for (const command of commands(run, () => root)) {
    root.addCommand(command, { hidden: command.name().startsWith("__") });
    command.copyInheritedSettings(root);
  }
  return root;
}

/** Runs the command line; answers the exit code. Bugs reject. */
export async function runProgram(args: readonly string[], surroundings: Surroundings): Promise<number> {
  let exitCode: number = exitCodes.ok;
  let name = "";
  const { stdout, stderr, environment } = surroundings;
  const json = asksForJson(args);
  let output = new Output({ stdout, stderr, json, quiet: false, plain: environment.plain });
  const root = program(async (command, handler) => {
    const session = new Session(surroundings, command);
    name = nameOf(command);
    output = session.output;
    try {
      exitCode = (await handler(session, command)) ?? exitCodes.ok;
    } finally {
      await session.scope.dispose();
    }
  });
  eachCommand(root, (command) =>
    command
      .exitOverride((error) => {
        name = nameOf(command);
        throw error;
      })
      .configureOutput({
        writeOut: (text) => stdout.write(text),
        // Errors are told below; what is left is the help, where it is said what is missing.
        writeErr: (text) => json || stderr.write(text),
        outputError: () => {},
      }),
  );
  try {
    await root.parseAsync([...args], { from: "user" });
    return exitCode;
  } catch (thrown) {
    if (thrown instanceof CommanderError && thrown.exitCode === 0) return exitCodes.ok;
    if (thrown instanceof CommanderError && thrown.code === "commander.help" && !json) return exitCodes.usage;
    const error = thrown instanceof CommanderError ? misunderstood(thrown) : thrown;
    const told = tell(surroundings.signal.aborted ? surroundings.signal.reason : error, name);
    if (!told) throw error;
    if (told.exitCode !== exitCodes.interrupted) output.failure(told.failure);
    return told.exitCode;
  }
}

/** The words that it is called by, without those of `berth` itself: `keys rm`. */
function nameOf(command: Command): string {
  const names: string[] = [];
  for (let at: Command = command; at.parent; at = at.parent) names.unshift(at.name());
  return names.join(" ");
}

/** Whether errors are to be JSON even where the arguments cannot be read. */
function asksForJson(args: readonly string[]): boolean {
  const end = args.indexOf("--");
  return args.slice(0, end === -1 ? args.length : end).includes("--json");
}

/** What commander makes of the arguments, in this program's words. */
function misunderstood({ code, message }: CommanderError): CommandFailed {
  if (code === "commander.help") return wrongUsage("It is not said what to do.");
  const [first = "", ...more] = message.replace(/^error: /, "").split("\n");
  const suggestion = /^\((Did you mean .*)\)$/.exec(more.join(" "))?.[1];
  const sentence = `${first.charAt(0).toUpperCase()}${first.slice(1)}${/[.?]$/.test(first) ? "" : "."}`;
  return wrongUsage(sentence, suggestion);
}

/** A command and all below it. */
export function eachCommand(command: Command, visit: (command: Command) => void): void {
  visit(command);
  for (const child of command.commands) eachCommand(child, visit);
}
