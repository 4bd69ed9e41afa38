import type { Command, Option } from "commander";

/** A word that fits, and what it is. */
export interface Candidate {
  readonly value: string;
  readonly description: string;
}

/** Names that only the controller knows, asked for when they are needed. */
export interface NameSource {
  sandboxes(): Promise<Candidate[]>;
  terminals(): Promise<Candidate[]>;
  profiles(): Promise<Candidate[]>;
  keys(): Promise<Candidate[]>;
  tokens(): Promise<Candidate[]>;
  kept(): Promise<Candidate[]>;
  nodes(): Promise<Candidate[]>;
}

/** What may stand in place of the last of these words; the words before it are behind `berth`. */
export async function candidates(root: Command, words: readonly string[], names: NameSource): Promise<Candidate[]> {
  const last = words.at(-1) ?? "";
  const { command, operands, pending, literal } = walk(root, words.slice(0, -1));
  const found = pending
    ? await valuesOf(pending, names)
    : last.startsWith("-") && !literal
      ? options(command)
      : await operandsOf(command, operands, names);
  return found.filter(({ value }) => value.startsWith(last));
}

interface Place {
  readonly command: Command;
  /** Those that stand before. */
  readonly operands: readonly string[];
  /** The option whose value is due. */
  readonly pending: Option | undefined;
  /** Behind `--`: no more options. */
  readonly literal: boolean;
}

function walk(root: Command, words: readonly string[]): Place {
  let command = root;
  const operands: string[] = [];
  let pending: Option | undefined;
  let literal = false;
  for (const word of words) {
    if (pending) pending = undefined;
    else if (literal) operands.push(word);
    else if (word === "--") literal = true;
    else if (word.startsWith("-")) pending = valued(command, word);
    else {
      const child = operands.length === 0 ? command.commands.find((one) => one.name() === word) : undefined;
      if (child) command = child;
      else operands.push(word);
    }
  }
  return { command, operands, pending, literal };
}

/** The option of this name, if its value is the next word. */
function valued(command: Command, word: string): Option | undefined {
  return all(command).find((option) => option.required && (option.long === word || option.short === word));
}

function all(command: Command): Option[] {
  const found: Option[] = [];
  for (let at: Command | null = command; at; at = at.parent) found.push(...at.options);
  return found;
}

async function valuesOf({ long, argChoices }: Option, names: NameSource): Promise<Candidate[]> {
  if (argChoices) return argChoices.map((value) => ({ value, description: "" }));
  const kinds: Readonly<Record<string, string>> = { "--profile": "profile", "--node": "node" };
  return named(kinds[long ?? ""] ?? "", names);
}

function options(command: Command): Candidate[] {
  const help = { value: "--help", description: "show what it does" };
  return [
    ...all(command).flatMap(({ long, description, hidden }) => (long && !hidden ? [{ value: long, description }] : [])),
    help,
  ];
}

async function operandsOf(command: Command, operands: readonly string[], names: NameSource): Promise<Candidate[]> {
  const count = operands.length;
  const children = count === 0 ? command.commands.filter((child) => !child.name().startsWith("__")) : [];
  const found = children.map((child) => ({ value: child.name(), description: child.summary() || child.description() }));
  const [last] = command.registeredArguments.slice(-1);
  const due = command.registeredArguments[count] ?? (last?.variadic ? last : undefined);
  // A word of choice that was given before its turn: what it stands for is due.
  const before = command.registeredArguments[count - 1];
  const argument = before && due?.argChoices?.includes(operands[count - 1] ?? "") ? before : due;
  if (!argument) return found;
  if (argument.argChoices) return argument.argChoices.map((value) => ({ value, description: "" }));
  const kinds = await Promise.all(
    argument
      .name()
      .split("|")
      .map((kind) => named(kind, names)),
  );
  return [...found, ...kinds.flat()];
}

/** Arguments say by their name what they are. */
async function named(kind: string, names: NameSource): Promise<Candidate[]> {
  switch (kind) {
    case "sandbox":
      return names.sandboxes();
    case "terminal":
      return names.terminals();
    case "profile":
      return names.profiles();
    case "key":
      return names.keys();
    case "kept":
      return names.kept();
    case "token":
      return names.tokens();
    case "node":
      return names.nodes();
    default:
      return [];
  }
}
