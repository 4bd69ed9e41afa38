/** Who owns a file in a container. */
export type Owner = "root" | "berth";

/** Ids of the owners, user and group alike. */
export const ownerIds: Readonly<Record<Owner, number>> = { root: 0, berth: 1000 };

/** One thing that goes into a container, at a path relative to its root. */
export type Entry =
  | { readonly kind: "directory"; readonly path: string; readonly mode: number; readonly owner: Owner }
  | {
      readonly kind: "file";
      readonly path: string;
      readonly mode: number;
      readonly owner: Owner;
      readonly contents: string;
    }
  /** A file of this machine. */
  | {
      readonly kind: "copy";
      readonly path: string;
      readonly mode: number;
      readonly owner: Owner;
      readonly from: string;
    }
  /** A symbolic link; the target is as a program in the container reads it. */
  | { readonly kind: "link"; readonly path: string; readonly target: string };

/** A file of root's that all may read. */
export function textFile(path: string, contents: string, mode = 0o644, owner: Owner = "root"): Entry {
  return { kind: "file", path, mode, owner, contents };
}

export function link(path: string, target: string): Entry {
  return { kind: "link", path, target };
}

/**
 * The entries in the order of their paths, each after its folders. Folders that no entry names are root's, and open to
 * all, as Debian has them.
 */
export function inOrder(entries: readonly Entry[]): readonly Entry[] {
  const byPath = new Map<string, Entry>();
  for (const entry of entries) {
    if (byPath.has(entry.path)) throw new Error(`two entries for /${entry.path}`);
    byPath.set(entry.path, entry);
  }
  for (const { path } of entries) {
    for (let end = path.lastIndexOf("/"); end > 0; end = path.lastIndexOf("/", end - 1)) {
      const folder = path.slice(0, end);
      if (!byPath.has(folder)) byPath.set(folder, { kind: "directory", path: folder, mode: 0o755, owner: "root" });
    }
  }
  return [...byPath.values()].sort((one, other) => (one.path < other.path ? -1 : 1));
}
