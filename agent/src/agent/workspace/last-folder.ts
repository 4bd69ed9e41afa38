import type { Folder } from "../files/folder.ts";
import { pathOf } from "./path.ts";

/** The folder that was needed last stays open, since paths that lie together come together. */
export class LastFolder<F extends Folder | undefined> {
  readonly #open: (names: readonly Buffer[]) => Promise<F>;
  #last: { readonly path: Buffer; readonly folder: F } | undefined;

  constructor(open: (names: readonly Buffer[]) => Promise<F>) {
    this.#open = open;
  }

  /** The folder of these names, until the next call. */
  async open(names: readonly Buffer[]): Promise<F> {
    const path = pathOf(names);
    if (this.#last?.path.equals(path)) return this.#last.folder;
    await this.close();
    const folder = await this.#open(names);
    this.#last = { path, folder };
    return folder;
  }

  async close(): Promise<void> {
    const folder = this.#last?.folder;
    this.#last = undefined;
    await folder?.close();
  }
}
