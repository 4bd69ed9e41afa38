import { homedir, userInfo } from "node:os";
import { isAbsolute, join, relative, resolve } from "node:path";
import { guestPaths } from "@berth/protocol";

/** The container's root as a program inside it sees it: `/`, or a folder where a container is just processes. */
export interface Root {
  readonly path: string;
  /** Whether the container is only a folder and processes, with no init system of its own. */
  readonly isFolder: boolean;
  /** The home folder of the user whose programs run in the terminals. */
  readonly home: string;
}

/** Reads the root from the environment. A folder's home lies within it, never in the home of the person who runs it. */
export function rootOf(environment: Readonly<Record<string, string | undefined>>): Root {
  const path = environment.BERTH_ROOT;
  if (!path) return { path: "/", isFolder: false, home: environment.HOME || homedir() };
  if (!isAbsolute(path)) throw new Error("BERTH_ROOT must be an absolute path");
  const home = environment.HOME;
  return {
    path,
    isFolder: true,
    home: home && isAbsolute(home) && isWithin(path, home) ? home : join(path, "home", userInfo().username),
  };
}

/** Where a thing of `guestPaths` lies. */
export function guestPath(root: Root, name: keyof typeof guestPaths): string {
  return join(root.path, guestPaths[name]);
}

/**
 * A terminal's working folder: absolute as the container sees it, or relative to the workspace. In a folder container
 * an absolute path is taken below its root, unless it is there already.
 */
export function workingFolder(root: Root, cwd: string | undefined): string {
  const workspace = guestPath(root, "workspace");
  if (cwd === undefined) return workspace;
  if (!isAbsolute(cwd)) return resolve(workspace, cwd);
  return !root.isFolder || isWithin(root.path, cwd) ? cwd : join(root.path, cwd);
}

function isWithin(folder: string, path: string): boolean {
  const steps = relative(folder, path);
  return steps !== ".." && !steps.startsWith("../");
}

/**
 * Gives this process a name of its own in a container: people and Claude end their servers there with `pkill node`, and
 * the programs of Berth run as the same user.
 */
export function nameProcess(root: Root, name: string): void {
  if (!root.isFolder) process.title = name;
}
