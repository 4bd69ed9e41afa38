import {
  type FetchResult,
  fetchResultSchema,
  getSandboxProject,
  gitFetch,
  gitPush,
  gitWorktree,
  type Operation,
  type PushPolicy,
  type PushResult,
  pushPolicySchema,
  pushResultSchema,
  randomKey,
  type SandboxProject,
  updateSandboxProject,
  type Worktree,
  type WorktreeResult,
  worktreeResultSchema,
} from "@berth/protocol";
import { Argument, type Command } from "commander";
import { Value } from "typebox/value";
import { wrongUsage } from "../failure.ts";
import { argument, flag, textOption } from "../options.ts";
import { harmless } from "../output/style.ts";
import type { Session } from "../session.ts";
import { tellOperation } from "./fleet.ts";
import { describe, does, groups, type Run, sandboxArgument } from "./register.ts";

const policies = ["none", "own", "own-rewrite", "any"] as const satisfies readonly PushPolicy[];

/** `berth git`: a sandbox's branch, the remote of its project, and the worktree on the controller's host. */
export function gitCommand(run: Run): Command {
  const command = describe("git", {
    summary: "Push a sandbox's branch to its project's remote, fetch, and say what the sandbox may push itself",
    more: `The controller does it with its own credentials; none reaches the sandbox. Git that is typed in the sandbox goes
the same way, and may push what "berth git allow" says: by default new commits of the sandbox's own branch.`,
    examples: [
      "berth git push web",
      "berth git push web --to feature --force",
      "berth git fetch web              # the remote's commits into the sandbox, as origin/*",
      "berth git worktree web --files   # its files, committed or not, on the controller's host",
      "berth git allow web any          # git push in the sandbox may write any branch",
    ],
    group: groups.files,
  });
  const child = (name: string, summary: string) =>
    command.command(name).description(summary).addArgument(sandboxArgument());
  does(child("show", "Show the project, the sandbox's branch and what it may push"), run, show);
  const push = child("push", "Push the sandbox's branch to the project's remote")
    .option("--to <branch>", "its name on the remote; the same by default")
    .option("--force", "overwrite the remote's branch, unless it has changed since the controller saw it last")
    .option("--no-wait", "do not wait until it is done");
  does(push, run, doPush);
  const fetch = child("fetch", "Bring the remote's new commits into the sandbox, and the sandbox's to the host");
  does(fetch.option("--no-wait", "do not wait until it is done"), run, doFetch);
  const worktree = child("worktree", "Bring the worktree on the controller's host to the sandbox's last commit")
    .option("--files", "also what is not committed")
    .option("--no-wait", "do not wait until it is done");
  does(worktree, run, doWorktree);
  const allow = child("allow", "Say what a git push in the sandbox may do");
  does(allow.addArgument(new Argument("<what>", "what it may").choices(policies)), run, doAllow);
  return command;
}

async function show(session: Session, command: Command): Promise<undefined> {
  const { output, signal } = session;
  const client = await session.client();
  const project = await client.call(getSandboxProject, { params: { id: argument(command, 0) } }, { signal });
  output.result(project, () => projectText(project));
  return undefined;
}

async function doAllow(session: Session, command: Command): Promise<undefined> {
  const { output, signal } = session;
  const push: unknown = argument(command, 1);
  if (!Value.Check(pushPolicySchema, push)) throw wrongUsage(`It may be one of ${policies.join(", ")}.`);
  const input = { params: { id: argument(command, 0) }, body: { push } };
  const project = await (await session.client()).call(updateSandboxProject, input, { signal });
  output.result(project, () => projectText(project));
  return undefined;
}

function projectText({ project, branch, baseBranch, commit, push }: SandboxProject): string {
  const lines = [
    `remote    ${harmless(project.url)}${project.credential ? " (with a credential)" : ""}`,
    `branch    ${branch}${baseBranch === null ? "" : `, from ${harmless(baseBranch)}`}`,
    `commit    ${commit ?? "none that the controller has seen"}`,
    `may push  ${push}`,
  ];
  return lines.map((line) => `${line}\n`).join("");
}

async function doPush(session: Session, command: Command): Promise<undefined> {
  const to = textOption(command, "to");
  const body = {
    ...(to === undefined ? {} : { remoteBranch: to }),
    ...(flag(command, "force") ? { force: true } : {}),
  };
  const input = { params: { id: argument(command, 0) }, body };
  const { operation } = await (await session.client()).call(gitPush, input, callOf(session, "push"));
  await tellOperation(session, command, operation, ({ result }) =>
    Value.Check(pushResultSchema, result) ? pushText(result) : undefined,
  );
  return undefined;
}

async function doFetch(session: Session, command: Command): Promise<undefined> {
  const input = { params: { id: argument(command, 0) } };
  const { operation } = await (await session.client()).call(gitFetch, input, callOf(session, "fetch"));
  await tellOperation(session, command, operation, ({ result }) =>
    Value.Check(fetchResultSchema, result) ? fetchText(result) : undefined,
  );
  return undefined;
}

async function doWorktree(session: Session, command: Command): Promise<undefined> {
  const query = flag(command, "files") ? { files: true } : {};
  const input = { params: { id: argument(command, 0) }, query };
  const { operation } = await (await session.client()).call(gitWorktree, input, callOf(session, "worktree"));
  await tellOperation(session, command, operation, (ended: Operation) =>
    Value.Check(worktreeResultSchema, ended.result) ? worktreeText(ended.result) : undefined,
  );
  return undefined;
}

function callOf({ signal }: Session, verb: string) {
  return { signal, idempotencyKey: `git-${verb}-${randomKey()}` };
}

function pushText({ state, commit, remoteBranch, messages, worktree }: PushResult): string {
  const what = state === "pushed" ? `pushed ${commit.slice(0, 12)} to` : `${commit.slice(0, 12)} is at`;
  const lines = [`${what} ${remoteBranch}`, ...messages.map((line) => `remote: ${harmless(line)}`)];
  return [...lines, ...(worktree ? placeLines(worktree) : [])].map((line) => `${line}\n`).join("");
}

function fetchText({ commit, worktree }: FetchResult): string {
  const lines = [
    commit === null ? "the sandbox's branch has no commits yet" : `the sandbox is at ${commit.slice(0, 12)}`,
  ];
  return [...lines, ...placeLines(worktree)].map((line) => `${line}\n`).join("");
}

function worktreeText({ files, ...worktree }: WorktreeResult): string {
  const lines = placeLines(worktree);
  if (files) lines.push(`${files.brought} files written or deleted`);
  for (const path of files?.conflicts ?? []) lines.push(`changed on both sides, left as it is: ${harmless(path)}`);
  return lines.map((line) => `${line}\n`).join("");
}

function placeLines({ path, commit, state }: Worktree): string[] {
  const why = {
    current: "",
    changed: ", left as it is: it has changes of its own",
    diverged: ", left as it is: it has commits of its own",
  };
  return commit === null ? [] : [`on the host: ${path} at ${commit.slice(0, 12)}${why[state]}`];
}
