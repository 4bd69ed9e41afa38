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
} from "@berth/protocol";
import type { FastifyReply } from "fastify";
import type { Api } from "../http/api.ts";
import { mountDownload } from "../http/download.ts";
import { mount } from "../http/mount.ts";
import type { SandboxLookup } from "../sandboxes/lookup.ts";
import type { DestroyGuard } from "./destroy-guard.ts";
import type { KeptWorks } from "./kept-work.ts";
import type { Projects } from "./repository.ts";
import type { GitProjects } from "./service.ts";

export interface ProjectRouteDependencies {
  readonly projects: Projects;
  readonly git: GitProjects;
  readonly guard: DestroyGuard;
  readonly kept: KeptWorks;
  readonly lookup: SandboxLookup;
}

/** Projects, and what goes between them and sandboxes. */
export function projectRoutes(api: Api, deps: ProjectRouteDependencies): void {
  const { projects, git, lookup } = deps;
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
  mount(api, gitPush, async ({ params, body, caller, reply }) =>
    git.push(await lookup.own(params.id, caller.user.id), body, whileAsked(api, reply)),
  );
  mount(api, gitFetch, async ({ params, caller, reply }) =>
    git.fetch(await lookup.own(params.id, caller.user.id), whileAsked(api, reply)),
  );
  mount(api, gitWorktree, async ({ params, query, caller, reply }) =>
    git.worktree(await lookup.own(params.id, caller.user.id), query.files === true, whileAsked(api, reply)),
  );
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

/** Aborts when the caller has gone, and when the server closes: whoever asks again gets what was not done. */
function whileAsked(api: Api, reply: FastifyReply): AbortSignal {
  const gone = new AbortController();
  reply.raw.once("close", () => gone.abort(new Error("the caller has gone")));
  return AbortSignal.any([gone.signal, api.closing]);
}
