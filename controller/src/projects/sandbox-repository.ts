import type { FileHandle } from "node:fs/promises";
import type { RemoteFolder } from "@berth/sync";
import type { OpenSshAccess } from "../ssh/sandbox-ssh.ts";
import { type ProcessEnd, runProcess } from "./bounded-process.ts";
import { shellWord } from "./shell-word.ts";

/** A script in a sandbox. */
export interface ScriptOrder {
  readonly script: string;
  /** Lines of its standard input; none may have a line's end. */
  readonly lines?: readonly string[];
  readonly into?: FileHandle;
  readonly maxOutputBytes: number;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** A script in a sandbox ended badly, or the sandbox could not be reached. */
export class ScriptFailed extends Error {
  override readonly name = "ScriptFailed";
}

/** The repository in a sandbox's workspace, reached by SSH. Whatever it says is a stranger's word. */
export class SandboxRepository {
  readonly #access: OpenSshAccess;

  constructor(access: OpenSshAccess) {
    this.#access = access;
  }

  /** For git: the alias stands for address, port, user and the pinned host key. */
  get url(): string {
    const { host, workspace } = this.#access;
    return `ssh://${host}${workspace.split("/").map(encodeURIComponent).join("/")}`;
  }

  /** For rsync. */
  get folder(): RemoteFolder {
    const { command, host, workspace } = this.#access;
    return { ssh: command, host, path: workspace };
  }

  get env(): Readonly<Record<string, string>> {
    return { GIT_ALLOW_PROTOCOL: "ssh", GIT_SSH_COMMAND: this.#access.command.map(shellWord).join(" ") };
  }

  /** Runs one of the fixed scripts. Rejects with `ScriptFailed`, or as `runProcess` does. */
  async run(order: ScriptOrder): Promise<ProcessEnd> {
    const { command, host, workspace } = this.#access;
    const [program, ...options] = command;
    const lines = order.lines ?? [];
    if (lines.some((line) => /[\n\r\0]/.test(line))) throw new RangeError("a line of a script's input is not one line");
    const end = await runProcess({
      command: program,
      args: [...options, "--", host, `sh -c ${shellWord(order.script)} sh ${shellWord(workspace)}`],
      env: { PATH: "/usr/local/bin:/usr/bin:/bin", LC_ALL: "C.UTF-8" },
      input: lines.map((line) => `${line}\n`).join(""),
      maxOutputBytes: order.maxOutputBytes,
      timeoutMs: order.timeoutMs,
      signal: order.signal,
      ...(order.into ? { into: order.into } : {}),
    });
    if (end.exitCode !== 0) throw new ScriptFailed(end.complaints.split("\n").at(-1) || "the sandbox did not do it");
    return end;
  }
}
