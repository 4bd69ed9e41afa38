import { guestPaths } from "@berth/protocol";
import type { MemoryGuest } from "@berth/pve-emulator";
import { type TemplateFacts, templatePaths, unpackCommand } from "@berth/template";
import { provisionCommand } from "../../../src/templates/steps/provision.ts";

type Root = MemoryGuest["root"];

/** How a command ended. */
export interface Outcome {
  readonly output: string;
  readonly complaint?: string;
  readonly code: number;
  /** The SSH server reads its host key anew. */
  readonly restartsSshd?: true;
}

/** What a command does. */
export interface Command {
  /** It reads all of its standard input first; whoever runs another need not end that. */
  readonly reads: boolean;
  run(root: Root, input: Buffer): Outcome;
}

const read = /^cat (?:"\$BERTH_ROOT\/([^"]+)"|\/(\S+))$/;
const launcher = `${guestPaths.programs}/launch.mjs`;
/** Where a Debian keeps who may sign in as root. */
export const debianKeys = "root/.ssh/authorized_keys";

/** What a command that the controller runs in a container does there; undefined: a stand-in has no such command. */
export function commandOf(text: string): Command | undefined {
  const [, own, absolute] = read.exec(text) ?? [];
  const path = own ?? absolute;
  if (path !== undefined) return { reads: false, run: (root) => readFile(root, path) };
  if (text === unpackCommand) return { reads: true, run: unpack };
  return text === provisionCommand ? { reads: true, run: provision } : undefined;
}

function readFile(root: Root, path: string): Outcome {
  const output = root.get(path);
  return output === undefined
    ? { output: "", complaint: `cat: /${path}: No such file or directory\n`, code: 1 }
    : { output, code: 0 };
}

const blockBytes = 512;

/** Takes the small files out of a tar; of one that is cut short, those before the cut. */
function unpack(root: Root, tar: Buffer): Outcome {
  for (let at = 0; at + blockBytes <= tar.length; ) {
    const header = tar.subarray(at, at + blockBytes);
    const name = textOf(header, 0, 100);
    if (name === "") return { output: "", code: 0 };
    const bytes = Number.parseInt(textOf(header, 124, 12), 8) || 0;
    at += blockBytes;
    if (textOf(header, 156, 1) === "0") root.set(name, tar.toString("utf8", at, at + bytes));
    at += Math.ceil(bytes / blockBytes) * blockBytes;
  }
  return { output: "", complaint: "tar: Unexpected EOF in archive\n", code: 2 };
}

function textOf(header: Buffer, from: number, bytes: number): string {
  return header.toString("latin1", from, from + bytes).replace(/\0.*$/s, "");
}

/** What the script of `@berth/template` leaves, without doing what it does: its steps, the keys, what it says of itself. */
function provision(root: Root, input: Buffer): Outcome {
  const script = input.toString("utf8");
  // A shell calls nothing of one that is cut short.
  if (!script.endsWith("main </dev/null\n"))
    return { output: "", complaint: "sh: Syntax error: end of file unexpected\n", code: 2 };
  if (!root.has(launcher)) return { output: "berth-failed: unpack the payload first\n", code: 1 };
  const steps = [...script.matchAll(/^ {2}echo '(berth-step: \S+)'$/gm)].map(([, line = ""]) => line);
  const hostKey = /^printf '%s\\n' '([^']+)' >"\$key"$/m.exec(script)?.[1] ?? "";
  const clientKey = /^printf '%s\\n' '([^']+)' >\/\S+$/m.exec(script)?.[1] ?? "";
  const version = /TEMPLATE_VERSION='([^']*)'/.exec(script)?.[1] ?? "";
  root.delete(debianKeys);
  root.set(guestPaths.sshHostKey, `${hostKey}\n`);
  root.set(guestPaths.authorizedKeys, `${clientKey}\n`);
  root.set(guestPaths.machineId, "");
  const skipped = [{ name: "docker", reason: "a stand-in has none" }];
  const facts: TemplateFacts = { version, builtAt: new Date(0).toISOString(), docker: null, skipped };
  root.set(templatePaths.facts, `${JSON.stringify(facts)}\n`);
  const told = skipped.map(({ name, reason }) => `berth-skipped: ${name}: ${reason}`);
  return { output: `${[...steps, ...told, "berth-done"].join("\n")}\n`, code: 0, restartsSshd: true };
}
