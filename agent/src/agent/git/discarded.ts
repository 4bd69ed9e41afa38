import { randomBytes } from "node:crypto";
import { namesIn, openBerthFolder } from "../files/berth-folder.ts";
import type { Folder } from "../files/folder.ts";
import { movePlace, removeTree } from "../workspace/change.ts";
import type { Place } from "../workspace/tree.ts";

const folderName = "discarded";
/** How long what was discarded is kept, in milliseconds. */
export const keptMs = 14 * 24 * 60 * 60 * 1000;
const setName = /^(\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d)Z-[0-9a-f]{6}$/;

/** What one call throws away, kept under its paths in a folder of its own. */
export class DiscardedSet {
  readonly #workspace: string;
  readonly #name: string;
  #kept = 0;

  constructor(workspace: string, now: number) {
    this.#workspace = workspace;
    const time = new Date(now).toISOString().slice(0, 19).replaceAll(":", "-");
    this.#name = `${time}Z-${randomBytes(3).toString("hex")}`;
  }

  /** From the workspace; undefined while nothing is kept. */
  get path(): Buffer | undefined {
    return this.#kept === 0 ? undefined : Buffer.from(`.berth/${folderName}/${this.#name}`);
  }

  /** Takes what is at a place away, under these names. */
  async take(from: Place, names: readonly Buffer[]): Promise<void> {
    await this.#at(names, (to) => movePlace(from, to, false));
    this.#kept += 1;
  }

  /** Brings something back to a place where nothing is. */
  async giveBack(to: Place, names: readonly Buffer[]): Promise<void> {
    await this.#at(names, (from) => movePlace(from, to, false));
  }

  async #at(names: readonly Buffer[], work: (place: Place) => Promise<void>): Promise<void> {
    const name = names.at(-1);
    if (!name) throw new Error("a discarded thing has a name");
    let folder = await openBerthFolder(this.#workspace, folderName);
    for (const step of [Buffer.from(this.#name), ...names.slice(0, -1)]) {
      const outer = folder;
      try {
        folder = await outer.stepOrMake(step);
      } finally {
        await outer.close();
      }
    }
    try {
      await work({ folder, name });
    } finally {
      await folder.close();
    }
  }
}

/** Removes what was discarded long ago. */
export async function pruneDiscarded(workspace: string, now: number, signal: AbortSignal): Promise<void> {
  const folder: Folder = await openBerthFolder(workspace, folderName);
  try {
    for await (const name of namesIn(folder)) {
      const time = setName.exec(name)?.[1];
      if (time === undefined) continue;
      const [date, clock] = time.split("T");
      const discardedAt = Date.parse(`${date}T${clock?.replaceAll("-", ":")}Z`);
      if (now - discardedAt > keptMs) await removeTree({ folder, name: Buffer.from(name) }, signal);
    }
  } finally {
    await folder.close();
  }
}
