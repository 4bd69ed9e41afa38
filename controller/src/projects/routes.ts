import {
  createProject,
  deleteKeptWork,
  deleteProject,
  deleteProjectCredential,
  downloadKeptWork,
  getSandboxProject,
  gitFetch,
  gitPush,
  gitUnsaved,
  gitWorktree,
  listKeptWork,
  listProjects,
  putProjectCredential,
  updateSandboxProject,
} from "@berth/protocol";
import type { Api } from "../http/api.ts";
import { mountDownload } from "../http/download.ts";
import { mount, mountTransactional } from "../http/mount.ts";
import type { SandboxLookup } from "../sandboxes/lookup.ts";
import type { DestroyGuard } from "./destroy-guard.ts";
import type { GitOperations } from "./git-operations.ts";
import type { KeptWorks } from "./kept-work.ts";
import type { Projects } from "./repository.ts";
import type { GitProjects } from "./service.ts";

export interface ProjectRouteDependencies {
  readonly projects: Projects;
  readonly git: GitProjects;
  readonly operations: GitOperations;
  readonly guard: DestroyGuard;
  readonly kept: KeptWorks;
  readonly lookup: SandboxLookup;
}

/** Projects, and what goes between them and sandboxes. */
export function projectRoutes(api: Api, deps: ProjectRouteDependencies): void {
  const { projects, git, operations, lookup } = deps;
  mount(api, listProjects, async ({ caller }) => {
    const rows = await projects.list(caller.user.id);
    return { items: await Promise.all(rows.map((row) => git.present(row))) };
  });
  mount(api, createProject, async ({ body, caller }) => {
    const row = await projects.ofUrl(api.db, caller.user.id, await git.checkRemote(body.url));
    if (body.credential) await git.setCredential(row, body.credential);
    return git.present(row);
  });
  mount(api, deleteProject, async ({ params, caller }) => {
    await git.remove(await projects.own(params.id, caller.user.id));
    return undefined;
  });
  mount(api, putProjectCredential, async ({ params, body, caller }) => {
    await git.setCredential(await projects.own(params.id, caller.user.id), body);
    return undefined;
  });
  mount(api, deleteProjectCredential, async ({ params, caller }) => {
    await git.setCredential(await projects.own(params.id, caller.user.id), undefined);
    return undefined;
  });
  mount(api, getSandboxProject, async ({ params, caller }) =>
    git.ofSandbox(await lookup.own(params.id, caller.user.id)),
  );
  mount(api, updateSandboxProject, async ({ params, body, caller }) =>
    git.allow(await lookup.own(params.id, caller.user.id), body.push),
  );
  mountTransactional(api, gitPush, async ({ params, body, caller }, work) => ({
    operation: await operations.start(work, await lookup.own(params.id, caller.user.id, work.trx), {
      ...{ kind: "git_push", ...body },
    }),
  }));
  mountTransactional(api, gitFetch, async ({ params, caller }, work) => ({
    operation: await operations.start(work, await lookup.own(params.id, caller.user.id, work.trx), {
      kind: "git_fetch",
    }),
  }));
  mountTransactional(api, gitWorktree, async ({ params, query, caller }, work) => ({
    operation: await operations.start(work, await lookup.own(params.id, caller.user.id, work.trx), {
      ...{ kind: "git_worktree", ...query },
    }),
  }));
  keptWorkRoutes(api, deps);
}

function keptWorkRoutes(api: Api, { kept, guard, lookup }: ProjectRouteDependencies): void {
  mount(api, gitUnsaved, async ({ params, caller }) => guard.look(await lookup.own(params.id, caller.user.id)));
  mount(api, listKeptWork, async ({ query, caller }) => kept.page(caller.user.id, query));
  mountDownload(api, downloadKeptWork, async ({ params, caller }) => kept.open(params.id, params.part, caller.user.id));
  mount(api, deleteKeptWork, async ({ params, caller }) => {
    await kept.remove(params.id, caller.user.id);
    return undefined;
  });
}
