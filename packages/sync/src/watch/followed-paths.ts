/** Folders whose changes begin no sync: they are never synced, left out by default, or change all the time. */
export const notFollowed: ReadonlySet<string> = new Set([".git", ".berth", "node_modules", "__pycache__", ".venv"]);

/** Whether a change of this path, relative to the workspace, may be one for a sync. */
export function isFollowed(path: string): boolean {
  return !path.split("/").some((name) => notFollowed.has(name));
}
