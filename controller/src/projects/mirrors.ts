import { rm } from "node:fs/promises";
import { BerthError } from "@berth/protocol";
import { readCredential } from "./credentials.ts";
import type { Git } from "./git.ts";
import { type FetchOptions, Mirror, type MirrorTurn } from "./mirror.ts";
import type { ProjectPlaces } from "./place.ts";
import type { RemoteAccess, RemoteAccesses } from "./remote-access.ts";
import { readRemote } from "./remote-url.ts";
import type { ProjectRow, Projects } from "./repository.ts";

export interface MirrorsDependencies {
  readonly git: Git;
  readonly places: ProjectPlaces;
  readonly projects: Projects;
  readonly accesses: RemoteAccesses;
  now(): number;
}

/** A project whose mirror one has. */
export interface ProjectTurn {
  readonly project: ProjectRow;
  readonly mirror: MirrorTurn;
  /** Throws `forbidden` for a repository on this machine that may not be used any more. */
  remote(): Promise<RemoteAccess>;
  /** Brings what is new on the remote. Answers its default branch; undefined: it is empty. */
  fetch(options?: FetchOptions): Promise<string | undefined>;
}

/** The mirrors of all projects, one at a time each. */
export class Mirrors {
  readonly #deps: MirrorsDependencies;
  readonly #open = new Map<string, Mirror>();

  constructor(dependencies: MirrorsDependencies) {
    this.#deps = dependencies;
  }

  /** Throws `not_found` for a project that is no more. */
  async turn<T>(projectId: string, work: (turn: ProjectTurn) => Promise<T>): Promise<T> {
    return this.#mirror(projectId).turn(async (mirror) => {
      const { projects, now } = this.#deps;
      const project = await projects.find(projectId);
      if (!project) throw new BerthError("not_found", "The project is no more.");
      const remote = () => this.#access(project);
      const fetch = async (options?: FetchOptions) => {
        const defaultBranch = await mirror.fetch(await remote(), options);
        await projects.fetched(projectId, defaultBranch, new Date(now()));
        return defaultBranch;
      };
      return work({ project, mirror, remote, fetch });
    });
  }

  /** Deletes all that is kept of a project that is no more. */
  async forget(projectId: string): Promise<void> {
    this.#open.delete(projectId);
    await rm(this.#deps.places.project(projectId), { recursive: true, force: true });
  }

  async #access(project: ProjectRow): Promise<RemoteAccess> {
    const credential = await readCredential(this.#deps.places.project(project.id));
    return this.#deps.accesses.open(readRemote(project.url), credential);
  }

  #mirror(projectId: string): Mirror {
    const { git, places } = this.#deps;
    const mirror = this.#open.get(projectId) ?? new Mirror({ folder: places.mirror(projectId), git });
    this.#open.set(projectId, mirror);
    return mirror;
  }
}
