import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { writeFileAtomic } from "@berth/base/node";
import { type ProcessOrder, runProcess } from "./bounded-process.ts";
import { configText } from "./git-config.ts";
import { readProgress } from "./git-progress.ts";
import { StreamedProcess } from "./streamed-process.ts";

/** A run of git. */
export interface GitOrder {
  readonly args: readonly string[];
  readonly cwd?: string;
  /** What it needs beside the environment of every run. */
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs?: number;
  readonly maxFileBytes?: number;
  readonly maxMemoryBytes?: number;
  /** Of its output: latin1 keeps the bytes of names that are no UTF-8. */
  readonly encoding?: "utf8" | "latin1";
  /** Exit codes that are answers, beside 0. */
  readonly alsoFine?: readonly number[];
  onProgress?(fraction: number | null, detail: string): void;
}

/** Git did not do it. The message is the last of what it said. */
export class GitFailed extends Error {
  override readonly name = "GitFailed";
  /** All that it said, without control characters, bounded. */
  readonly complaints: string;
  readonly output: string;

  constructor(what: string, complaints: string, output: string) {
    super(`git ${what}: ${lastLine(complaints) ?? "it failed without a word"}`);
    this.complaints = complaints;
    this.output = output;
  }
}

export interface GitAnswer {
  readonly exitCode: number;
  readonly output: string;
  readonly complaints: string;
}

const maxOutputBytes = 8 * 1024 * 1024;
const defaultTimeoutMs = 60_000;

/**
 * The machine's real git, without anything of the machine's or its users' configuration, and nothing of a repository's
 * contents runs: no hooks, no filters, no submodules, no questions. Its files are in a folder of their own.
 */
export class Git {
  readonly #folder: string;
  readonly #environment: Readonly<Record<string, string>>;
  readonly #credentialHelper: string | undefined;
  #prepared: Promise<void> | undefined;

  constructor({ folder, credentialHelper }: { folder: string; credentialHelper?: string | undefined }) {
    this.#folder = folder;
    this.#credentialHelper = credentialHelper;
    this.#environment = {
      PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      LC_ALL: "C.UTF-8",
      HOME: join(folder, "home"),
      XDG_CONFIG_HOME: join(folder, "home"),
      GIT_CONFIG_NOSYSTEM: "1",
      GIT_CONFIG_GLOBAL: join(folder, "config"),
      GIT_ATTR_NOSYSTEM: "1",
      GIT_TERMINAL_PROMPT: "0",
      GIT_ASKPASS: "false",
      SSH_ASKPASS_REQUIRE: "never",
      GIT_ADVICE: "0",
      // Until a call allows one, there is no way out.
      GIT_ALLOW_PROTOCOL: "none",
      GIT_NO_REPLACE_OBJECTS: "1",
      GIT_MERGE_AUTOEDIT: "no",
      GIT_EDITOR: "false",
      GIT_PAGER: "cat",
    };
  }

  /** Runs git. Rejects with `GitFailed`, or as `runProcess` does. */
  async run(order: GitOrder): Promise<GitAnswer> {
    this.#prepared ??= this.#prepare();
    await this.#prepared;
    const { onProgress } = order;
    const full: ProcessOrder = {
      command: "git",
      args: order.args,
      env: { ...this.#environment, ...order.env },
      maxOutputBytes,
      timeoutMs: order.timeoutMs ?? defaultTimeoutMs,
      signal: order.signal,
      ...(order.cwd === undefined ? {} : { cwd: order.cwd }),
      ...(order.input === undefined ? {} : { input: order.input }),
      ...(order.maxFileBytes === undefined ? {} : { maxFileBytes: order.maxFileBytes }),
      ...(order.maxMemoryBytes === undefined ? {} : { maxMemoryBytes: order.maxMemoryBytes }),
      ...(onProgress ? { onComplaint: (line) => tellProgress(line, onProgress) } : {}),
    };
    const { exitCode, output, complaints } = await runProcess(full);
    const text = output.toString(order.encoding ?? "utf8");
    if (exitCode !== 0 && !(exitCode !== null && order.alsoFine?.includes(exitCode))) {
      throw new GitFailed(verbOf(order.args), complaints, text);
    }
    return { exitCode: exitCode ?? 0, output: text, complaints };
  }

  /** Starts a git that somebody speaks with: see `StreamedProcess`. */
  async stream(order: Pick<GitOrder, "args" | "signal" | "maxFileBytes" | "maxMemoryBytes"> & { timeoutMs: number }) {
    this.#prepared ??= this.#prepare();
    await this.#prepared;
    return new StreamedProcess({ ...order, command: "git", env: this.#environment });
  }

  async #prepare(): Promise<void> {
    await mkdir(join(this.#folder, "home"), { recursive: true, mode: 0o700 });
    await writeFileAtomic(join(this.#folder, "config"), configText(this.#credentialHelper));
  }
}

function tellProgress(line: string, tell: (fraction: number | null, detail: string) => void): void {
  const progress = readProgress(line);
  if (progress) tell(progress.fraction, progress.detail);
}

function verbOf(args: readonly string[]): string {
  return args.find((arg) => /^[a-z][a-z-]+$/.test(arg)) ?? "";
}

function lastLine(text: string): string | undefined {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  return lines.find((line) => /^(fatal|error): /.test(line)) ?? lines.at(-1);
}
