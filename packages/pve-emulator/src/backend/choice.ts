import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { readTextIfExists, writeFileAtomic } from "@berth/base/node";
import type { BaseArchive } from "../storage/archives.ts";
import type { BackendKind } from "./backend.ts";
import { lxcObstacle } from "./lxc/obstacle.ts";

/** `auto`: LXC where the machine can, processes otherwise; a data folder keeps what it was made with. */
export type BackendChoice = BackendKind | "auto";

export interface ChoiceOptions {
  readonly choice: BackendChoice;
  /** Gets the archive that containers of LXC are made from. */
  readonly base: BaseArchive;
  readonly report: (line: string) => void;
}

/**
 * The backend of a data folder, remembered there. Throws one sentence when it was made with another one than is asked
 * for, or when LXC is asked for and cannot be had.
 */
export async function chooseBackend(dataDir: string, { choice, base, report }: ChoiceOptions): Promise<BackendKind> {
  const known = await knownBackend(dataDir);
  if (known !== undefined && choice !== "auto" && choice !== known) {
    throw new Error(`${dataDir} was made with the ${known} backend: use that one, or another folder`);
  }
  const chosen = known ?? choice;
  const obstacle =
    chosen === "process"
      ? undefined
      : ((await lxcObstacle()) ?? (chosen === "auto" ? await baseObstacle(base, report) : undefined));
  if (obstacle !== undefined) {
    if (chosen === "lxc") throw new Error(`containers of LXC cannot be had here: ${obstacle}`);
    report(`containers are processes, with no walls between them: ${obstacle}`);
  }
  const kind = chosen === "auto" ? (obstacle === undefined ? "lxc" : "process") : chosen;
  if (known === undefined) await writeFileAtomic(backendFile(dataDir), `${kind}\n`);
  return kind;
}

/** Why there is no Debian to be had, of which containers could be made. */
async function baseObstacle(base: BaseArchive, report: (line: string) => void): Promise<string | undefined> {
  try {
    await base({ report, signal: new AbortController().signal });
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message.split("\n")[0] : String(error);
  }
}

const backendFile = (dataDir: string) => join(dataDir, "backend");

async function knownBackend(dataDir: string): Promise<BackendKind | undefined> {
  const word = (await readTextIfExists(backendFile(dataDir)))?.trim();
  if (word === "lxc" || word === "process") return word;
  // Folders of before there was a choice hold containers and do not say of what.
  const containers = await readdir(join(dataDir, "containers")).catch(() => []);
  return containers.length > 0 ? "process" : undefined;
}
