import { join } from "node:path";
import type { SandboxRow } from "../sandboxes/record.ts";
import type { WorktreePlace } from "./worktree.ts";

export const branchPrefix = "berth/";

/** A sandbox that is of a project, and has its branch. */
export interface ProjectSandbox {
  readonly id: string;
  readonly name: string;
  readonly projectId: string;
  readonly branch: string;
}

/** Undefined: it is of none, or has no branch yet. */
export function projectSandbox({ id, name, project_id, branch }: SandboxRow): ProjectSandbox | undefined {
  return project_id === null || branch === null ? undefined : { id, name, projectId: project_id, branch };
}

/** Where things of projects are below the data directory. */
export class ProjectPlaces {
  readonly #folder: string;

  constructor(dataDir: string) {
    this.#folder = join(dataDir, "projects");
  }

  project(projectId: string): string {
    return join(this.#folder, projectId);
  }

  mirror(projectId: string): string {
    return join(this.project(projectId), "mirror.git");
  }

  /** Where is remembered what was brought into a worktree. */
  worktreeMemory({ projectId, id }: ProjectSandbox): string {
    return join(this.project(projectId), "files", id);
  }

  /** Called as the sandbox was when it got its branch. */
  worktree({ projectId, branch }: ProjectSandbox): WorktreePlace {
    return { path: join(this.project(projectId), "worktrees", branch.slice(branchPrefix.length)), branch };
  }
}
