import { execFile } from "node:child_process";
import { readFile, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { promisify } from "node:util";
import { StartError } from "../settings/start-error.ts";

/** A system user that is not root. */
export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

const accountName = "postgres";
/** A root shell that was begun by `su` may lack the folders of system programs. */
const systemPath = "/usr/sbin:/usr/bin:/sbin:/bin";
const run = promisify(execFile);

/**
 * The account that PostgreSQL runs under: undefined for this process's own, and where that is root, which PostgreSQL
 * refuses, the system user `postgres`, made if there is none. Throws `StartError`.
 */
export async function postgresAccount(): Promise<Account | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const found = await lookUp();
  if (found) return found;
  try {
    await run(
      "useradd",
      ["--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", accountName],
      { env: { PATH: systemPath } },
    );
  } catch (error) {
    // Another start may have been quicker.
    const others = await lookUp();
    if (others) return others;
    throw new StartError(
      `PostgreSQL does not run as root and the system user "${accountName}" could not be made: make it (useradd --system ${accountName}), or run Berth as an ordinary user.`,
      { cause: error },
    );
  }
  const made = await lookUp();
  if (!made)
    throw new StartError(
      `The system user "${accountName}" was made and is not in /etc/passwd: run Berth as an ordinary user.`,
    );
  return made;
}

async function lookUp(): Promise<Account | undefined> {
  const lines = (await readFile("/etc/passwd", "utf8")).split("\n");
  const [, , uid, gid] = lines.find((line) => line.startsWith(`${accountName}:`))?.split(":") ?? [];
  return uid && gid ? { name: accountName, uid: Number(uid), gid: Number(gid) } : undefined;
}

/** The topmost folder on the way to a path that the account may not pass through; undefined: the way is free. */
export async function firstClosedFolder(path: string, account: Account): Promise<string | undefined> {
  const folders: string[] = [];
  for (let folder = path; ; folder = dirname(folder)) {
    folders.unshift(folder);
    if (folder === dirname(folder)) break;
  }
  for (const folder of folders) {
    const { mode, uid, gid } = await stat(folder);
    const bit = uid === account.uid ? 0o100 : gid === account.gid ? 0o010 : 0o001;
    if ((mode & bit) === 0) return folder;
  }
  return undefined;
}
