import { randomBytes } from "node:crypto";
import { mkdir, readdir, rename, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { isErrno } from "@berth/base/node";
import { exists } from "../process/container-files.ts";
import { run } from "./command.ts";
import type { IdRange } from "./id-range.ts";

/** Of each kind of layer, as many are kept as were used last. */
const keptOfEachKind = 3;

/**
 * Layers that data folders have in common: made once a machine, they are linked into each folder file by file, which
 * takes a second, and no room. Files of layers never change, so that nothing is shared that somebody could write to.
 */
export class LayerCache {
  readonly #folder: string;

  constructor(cacheDir: string, ids: IdRange) {
    this.#folder = join(cacheDir, `layers-${ids.first}`);
  }

  /** Puts a layer's contents into an empty folder. False when it is not known here. */
  async fetch(id: string, target: string): Promise<boolean> {
    const source = join(this.#folder, id);
    if (!(await exists(source))) return false;
    try {
      await link(source, target);
      await utimes(source, new Date(), new Date());
      return true;
    } catch {
      // Somebody emptied the cache meanwhile: what was copied must not be taken for all of it.
      await run("find", [target, "-mindepth", "1", "-delete"]);
      return false;
    }
  }

  /** Remembers a layer. A cache that cannot be written to (a full disk) stops nothing. */
  async store(id: string, source: string): Promise<void> {
    const target = join(this.#folder, id);
    const draft = `${target}.${randomBytes(4).toString("hex")}.new`;
    try {
      await mkdir(this.#folder, { recursive: true, mode: 0o700 });
      await mkdir(draft);
      await link(source, draft);
      await rename(draft, target);
      await this.#shrink();
    } catch {
      await rm(draft, { recursive: true, force: true });
    }
  }

  async #shrink(): Promise<void> {
    const names = (await readdir(this.#folder)).filter((name) => !name.endsWith(".new"));
    const used = new Map<string, number>();
    for (const name of names) used.set(name, await lastUse(join(this.#folder, name)));
    const byUse = names.sort((a, b) => (used.get(b) ?? 0) - (used.get(a) ?? 0));
    const kindOf = (name: string) => name.split("-")[0];
    const surplus = byUse.filter(
      (name, index) => byUse.slice(0, index).filter((other) => kindOf(other) === kindOf(name)).length >= keptOfEachKind,
    );
    for (const name of surplus) await rm(join(this.#folder, name), { recursive: true, force: true });
  }
}

/** Links all files of a folder into another one; copies them where that is on another file system. */
async function link(source: string, target: string): Promise<void> {
  await run("cp", ["-al", "-T", "--", source, target]).catch(() =>
    run("cp", ["-a", "--reflink=auto", "--remove-destination", "-T", "--", source, target]),
  );
}

async function lastUse(path: string): Promise<number> {
  try {
    return (await stat(path)).mtimeMs;
  } catch (error) {
    if (isErrno(error, "ENOENT")) return 0;
    throw error;
  }
}
