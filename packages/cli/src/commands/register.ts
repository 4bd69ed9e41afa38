import { Argument, Command } from "commander";
import type { Session } from "../session.ts";

/** Does a command's work; answers the exit code if it is not 0. */
export type Handler = (session: Session, command: Command) => Promise<number | undefined>;

/** Runs a handler with a session of its own. */
export type Run = (command: Command, handler: Handler) => Promise<void>;

export interface CommandText {
  readonly summary: string;
  /** Said below the summary in the command's own help. */
  readonly more?: string;
  /** Lines of a shell, each with what it does behind a `#`. */
  readonly examples: readonly string[];
  /** Heading under which the help of the whole lists it. */
  readonly group: string;
}

/** A command with its help; what it does is added by `does`. */
export function describe(name: string, { summary, more, examples, group }: CommandText): Command {
  const command = new Command(name)
    .summary(summary)
    .description(more === undefined ? summary : `${summary}\n\n${more}`);
  command.helpGroup(group);
  if (examples.length > 0)
    command.addHelpText("after", `\nExamples:\n${examples.map((line) => `  ${line}\n`).join("")}`);
  return command;
}

/** Lets a command do its work. */
export function does(command: Command, run: Run, handler: Handler): Command {
  return command.action(() => run(command, handler));
}

/** Tells of what is done and has no result but that: in JSON by what it was done to. */
export function tellDone({ output }: Session, what: unknown, sentence: string): void {
  if (output.json) output.result(what, () => "");
  else output.note(sentence);
}

/** Groups of the help. */
export const groups = {
  account: "Controllers and accounts:",
  fleet: "Sandboxes:",
  terminals: "Terminals:",
  files: "Files and SSH:",
  more: "More:",
} as const;

// Completion knows arguments by these names.
export const sandboxArgument = () => new Argument("<sandbox>", "a sandbox, by name or id");
export const optionalSandbox = () => new Argument("[sandbox]", "a sandbox, by name or id");
export const sandboxesArgument = () => new Argument("<sandbox...>", "sandboxes, by name or id");

/** Keeps each value of an option that may be repeated. */
export function collect(value: string, before: readonly string[]): string[] {
  return [...before, value];
}
