import { realpath, stat } from "node:fs/promises";
import { relative, resolve } from "node:path";
import { BerthError } from "@berth/protocol";

export interface HostFoldersOptions {
  /** Below which folders of the host workspaces may be synced; none: nowhere. */
  readonly roots: readonly string[];
  /** Never synced, nor what holds it: the fleet's keys are in it. */
  readonly dataDir: string;
}

/** Which folders of the controller's host people may sync with: those below the roots that the settings name. */
export class HostFolders {
  readonly #options: HostFoldersOptions;

  constructor(options: HostFoldersOptions) {
    this.#options = options;
  }

  /**
   * The real path of a folder that may be synced, with no link left in it. Throws `forbidden` and `not_found`; whoever
   * asks is not told what there is outside of the roots.
   */
  async allowed(path: string): Promise<string> {
    const { roots, dataDir } = this.#options;
    if (roots.length === 0) {
      throw new BerthError("forbidden", "No folder of the controller's host may be synced.", {
        hint: "Name the folders below which they may be in BERTH_WORKSPACE_ROOTS, with colons between, and restart Berth.",
      });
    }
    const known = await Promise.all(roots.map((root) => realpath(root).catch(() => undefined)));
    const real = await realpath(path).catch(() => undefined);
    const inside = (folder: string) => known.some((root) => root !== undefined && isWithin(root, folder));
    if (!inside(real ?? resolve(path)) || (real !== undefined && !inside(real))) {
      throw new BerthError("forbidden", `${path} is not below a folder that may be synced.`, {
        hint: `These are: ${roots.join(", ")} (BERTH_WORKSPACE_ROOTS).`,
      });
    }
    if (real === undefined || !(await stat(real).catch(() => undefined))?.isDirectory()) {
      throw new BerthError("not_found", `There is no folder ${path} on the controller's host.`);
    }
    const data = await realpath(dataDir).catch(() => dataDir);
    if (isWithin(real, data) || isWithin(data, real)) {
      throw new BerthError("forbidden", `${path} holds Berth's own data, which is never synced.`);
    }
    return real;
  }
}

function isWithin(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way === "" || (way !== ".." && !way.startsWith("../") && !way.startsWith("/"));
}
