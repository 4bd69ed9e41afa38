import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { isErrno } from "@berth/base/node";
import { parseJson } from "@berth/protocol";
import Type from "typebox";
import { Compile } from "typebox/compile";
import { processStart } from "../../machine.ts";

/**
 * What is read of a session's file; the CLI's own, so nothing of it is relied upon but what fits. Its sibling with the
 * ending `.key` holds a token, and is never opened.
 */
const fileSchema = Type.Object({
  pid: Type.Integer({ minimum: 1 }),
  procStart: Type.Optional(Type.String({ maxLength: 32 })),
  status: Type.Optional(Type.String({ maxLength: 32 })),
  statusUpdatedAt: Type.Optional(Type.Number()),
});
const sessionFile = Compile(fileSchema);

/** A Claude that runs, as it describes itself. */
export interface ClaudeSession {
  readonly pid: number;
  /** Of the terminal that it runs in; undefined: in none of Berth's. */
  readonly terminalId: string | undefined;
  /** Undefined: it has not said yet. */
  readonly status: string | undefined;
  /** When it said so, in milliseconds. */
  readonly at: number;
}

const limits = { files: 256, fileBytes: 64 * 1024, environmentBytes: 1024 * 1024 } as const;

/** The variable by which a terminal's programs know which one it is. */
export const terminalVariable = "BERTH_TERMINAL";

/** Reads the sessions of Claudes that run. */
export class ClaudeSessions {
  /** By process: which terminal it is of, which does not change. */
  #terminals = new Map<string, string | undefined>();

  /** Those whose files are in this folder; none if it is not there. */
  async read(folder: string): Promise<ClaudeSession[]> {
    const seen = new Map<string, string | undefined>();
    const sessions: ClaudeSession[] = [];
    for (const name of await filesIn(folder)) {
      const session = await this.#session(join(folder, name), seen);
      if (session) sessions.push(session);
    }
    this.#terminals = seen;
    return sessions;
  }

  async #session(path: string, seen: Map<string, string | undefined>): Promise<ClaudeSession | undefined> {
    const value = parseJson((await readBounded(path, limits.fileBytes)) ?? "");
    if (!sessionFile.Check(value)) return undefined;
    const { pid, procStart, status, statusUpdatedAt } = value;
    // A file outlives a Claude that was killed, and its id may be another process's.
    const started = await processStart(pid);
    if (started === undefined || (procStart !== undefined && procStart !== started)) return undefined;
    const process = `${pid} ${started}`;
    const terminalId = this.#terminals.has(process) ? this.#terminals.get(process) : await terminalOf(pid);
    seen.set(process, terminalId);
    return { pid, terminalId, status, at: statusUpdatedAt ?? 0 };
  }
}

async function filesIn(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).filter((name) => /^[1-9][0-9]{0,9}\.json$/.test(name)).slice(0, limits.files);
  } catch (error) {
    if (isErrno(error, "ENOENT") || isErrno(error, "ENOTDIR")) return [];
    throw error;
  }
}

async function terminalOf(pid: number): Promise<string | undefined> {
  const environment = await readBounded(`/proc/${pid}/environ`, limits.environmentBytes);
  const line = environment?.split("\0").find((entry) => entry.startsWith(`${terminalVariable}=`));
  return line?.slice(terminalVariable.length + 1);
}

/** Undefined for what is not there (any more), may not be read, or is too long. */
async function readBounded(path: string, maxBytes: number): Promise<string | undefined> {
  try {
    const bytes = await readFile(path);
    return bytes.length > maxBytes ? undefined : bytes.toString("utf8");
  } catch {
    return undefined;
  }
}
