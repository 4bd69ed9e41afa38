import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { guestPaths, type Sandbox } from "@berth/protocol";
import { type AttachedTerminal, type AttachOptions, attachTerminal, eventually } from "@berth/testkit";
import type { Berth } from "./berth.ts";

/** The programs of Berth's own in a sandbox. */
type SandboxProgram = "agent" | "pty-host";

/** The process of one of them; waits for a supervisor that has just started it anew. */
export async function pidOf(berth: Berth, sandbox: Sandbox, program: SandboxProgram): Promise<number> {
  // The command line of the container's init names every program too, among much else. In a real container a program
  // has a name of its own.
  const line = new RegExp(`^(\\S+ \\S+/(launch\\.mjs ${program}|${program}\\.mjs)|berth-${program})$`);
  const isIt = ({ command }: { command: string }) => line.test(command);
  const look = async () => (await berth.processesOf(sandbox)).find(isIt);
  return (await eventually(look, { what: `the ${program} of ${sandbox.name}` })).pid;
}

/** Kills one of them as a crash would; resolves when it is gone. */
export async function killProgram(berth: Berth, sandbox: Sandbox, program: SandboxProgram): Promise<void> {
  const pid = await pidOf(berth, sandbox, program);
  process.kill(pid, "SIGKILL");
  const gone = async () => !(await berth.processesOf(sandbox)).some((other) => other.pid === pid);
  await eventually(gone, { what: `the end of ${program} ${pid}`, intervalMs: 5 });
}

/** What the PTY host has on the sandbox's disk of a terminal's epoch, from where it begins. */
export async function storedOutput(
  berth: Berth,
  sandbox: Sandbox,
  terminalId: string,
  epoch: number,
): Promise<{ start: number; end: number; bytes: Buffer }> {
  const folder = join(await berth.rootOf(sandbox), guestPaths.terminals, terminalId);
  const offsets = (await readdir(folder))
    .flatMap((name) => {
      const [, ofEpoch, offset] = /^([0-9]+)-([0-9]+)\.ring$/.exec(name) ?? [];
      return Number(ofEpoch) === epoch ? [Number(offset)] : [];
    })
    .sort((one, other) => one - other);
  const parts = await Promise.all(offsets.map((offset) => readFile(join(folder, `${epoch}-${offset}.ring`))));
  const start = offsets[0] ?? 0;
  const bytes = Buffer.concat(parts);
  return { start, end: start + bytes.length, bytes };
}

/** One line of `numberedStream`. With letters of one to four bytes, so that frames cut some of them in two. */
const lineSource =
  'String(n) + " é漢🙂 " + require("crypto").createHash("sha256").update(String(n)).digest("hex") + "\\n"';

/** A program that writes so many numbered lines, some every few milliseconds, and ends. */
export function numberedStream(lines: number, linesEach = 5, everyMs = 5): string[] {
  const script = `let n = 0; const timer = setInterval(() => {
    let text = ""; for (let i = 0; i < ${linesEach} && n < ${lines}; i++, n++) text += ${lineSource};
    if (text) process.stdout.write(text); else clearInterval(timer);
  }, ${everyMs});`;
  return ["node", "-e", script];
}

/** What a terminal has of `numberedStream`. */
export function numberedStreamOutput(lines: number): Buffer {
  const text = Array.from({ length: lines }, (_, n) => {
    const hash = createHash("sha256").update(String(n)).digest("hex");
    return `${n} é漢🙂 ${hash}\r\n`;
  });
  return Buffer.from(text.join(""));
}

/** A program that writes what is typed to a file in the workspace, byte for byte, until it gets a Ctrl-D. */
export function recorder(file: string): string[] {
  const script = `const fs = require("fs"); process.stdin.setRawMode(true); fs.writeFileSync(${JSON.stringify(file)}, "");
    process.stdin.on("data", (bytes) => {
      if (bytes.includes(4)) process.exit(0);
      fs.appendFileSync(${JSON.stringify(file)}, bytes);
    });
    process.stdout.write("recording\\n");`;
  return ["node", "-e", script];
}

/** What a `recorder` has written. */
export async function recorded(berth: Berth, sandbox: Sandbox, file: string): Promise<string> {
  return readFile(join(await berth.rootOf(sandbox), guestPaths.workspace, file), "utf8");
}

/** Viewers of a Berth's terminals, which are closed together. */
export class ViewerSet {
  readonly #viewers = new Set<AttachedTerminal>();

  async attach(
    berth: Berth,
    terminalId: string,
    options: Partial<Omit<AttachOptions, "url" | "terminalId">> = {},
  ): Promise<AttachedTerminal> {
    const viewer = await attachTerminal({ url: berth.url, token: berth.token, terminalId, ...options });
    this.#viewers.add(viewer);
    return viewer;
  }

  async closeAll(): Promise<void> {
    await Promise.all([...this.#viewers].map((viewer) => viewer.close()));
    this.#viewers.clear();
  }
}
