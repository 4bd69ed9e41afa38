import { execFile } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { environmentWithoutSettings, spawnProcess, TerminalScreen } from "@berth/testkit";
import { type IPty, spawn as spawnPty } from "node-pty";

export const program = fileURLToPath(new URL("../dist/berth.mjs", import.meta.url));

export interface PtyOptions {
  readonly cols?: number;
  readonly rows?: number;
  /** In place of the built command. */
  readonly command?: readonly [string, ...string[]];
}

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A user's machine, as far as the command sees it: a home of its own, and no settings of ours. */
export function environmentOf(home: string, more: Record<string, string> = {}): Record<string, string> {
  const base = Object.entries(environmentWithoutSettings()).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && !entry[0].startsWith("XDG_"),
  );
  return { ...Object.fromEntries(base), HOME: home, TERM: "xterm-256color", ...more };
}

/** Runs the built command with pipes to its end. */
export function runCommand(args: readonly string[], env: Record<string, string>, stdin = ""): Promise<Ran> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [program, ...args],
      { env, timeout: 60_000, maxBuffer: 64 * 1024 * 1024 },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === "number" ? error.code : -1;
        resolve({ code, stdout, stderr });
      },
    );
    child.stdin?.end(stdin);
  });
}

/** The built command in a real PTY, or another one, and what a user sees of it. Close it at the end of the test. */
export class CommandInPty {
  readonly screen: TerminalScreen;
  readonly #pty: IPty;
  readonly #chunks: Buffer[] = [];
  readonly exited: Promise<{ exitCode: number; signal?: number }>;
  #running = true;

  constructor(
    args: readonly string[],
    env: Record<string, string>,
    { cols = 80, rows = 24, command = [process.execPath, program] }: PtyOptions = {},
  ) {
    this.screen = new TerminalScreen({ cols, rows });
    const [file, ...first] = command;
    this.#pty = spawnPty(file, [...first, ...args], { cols, rows, env, encoding: null });
    this.#pty.onData((data: string | Buffer) => {
      const bytes = Buffer.from(data);
      this.#chunks.push(bytes);
      this.screen.write(bytes);
    });
    this.exited = new Promise((resolve) =>
      this.#pty.onExit((exit) => {
        this.#running = false;
        resolve(exit);
      }),
    );
  }

  get pid(): number {
    return this.#pty.pid;
  }

  /** All output so far. */
  get output(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  type(text: string): void {
    this.#pty.write(text);
  }

  resize(cols: number, rows: number): void {
    this.#pty.resize(cols, rows);
    this.screen.resize(cols, rows);
  }

  async close(): Promise<void> {
    if (this.#running) this.#pty.kill("SIGKILL");
    await this.exited;
    this.screen.dispose();
  }
}

/** Puts a command `berth` into a folder, which is to be in the `PATH` of a shell. */
export async function installBerth(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const text = `#!/bin/sh\nexec ${quoted(process.execPath)} ${quoted(program)} "$@"\n`;
  await writeFile(join(folder, "berth"), text, { mode: 0o755 });
}

/** The flags of the terminal that a process has as its standard input, as `stty` shows them. */
export async function terminalModes(pid: number): Promise<string> {
  const stty = spawnProcess({ command: "stty", args: ["-a", "-F", `/proc/${pid}/fd/0`] });
  await stty.exited;
  return stty.stdout;
}

export const textOf = (path: string): Promise<string> => readFile(path, "utf8");

const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;
