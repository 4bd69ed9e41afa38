import {
  deleteContinuousSync,
  everyPage,
  getSync,
  listSyncChanges,
  putContinuousSync,
  randomKey,
  resolveSync,
  type SyncChange,
  type SyncDirection,
  type SyncResult,
  type SyncStatus,
  startSync,
  syncResultSchema,
} from "@berth/protocol";
import { Argument, type Command } from "commander";
import { Value } from "typebox/value";
import { exitCodes } from "../exit-codes.ts";
import { wrongUsage } from "../failure.ts";
import { followOperation } from "../operation.ts";
import { argument, countOption, flag, textsOption } from "../options.ts";
import { harmless } from "../output/style.ts";
import type { Session } from "../session.ts";
import { changeLines, resultWords } from "../sync/present.ts";
import { tellOperation } from "./fleet.ts";
import { backupArgument, doRestore, showBackups } from "./folder-backups.ts";
import { collect, describe, does, groups, type Run, sandboxArgument } from "./register.ts";

/** `berth folder`: a folder of the controller's own host and a workspace; `berth sync` is about folders of this machine. */
export function folderCommand(run: Run): Command {
  const command = describe("folder", {
    summary: "Bring a folder of the controller's host and a workspace together, once or continuously",
    more: `The controller runs it. Nothing is overwritten that has changed on the other side since the last time: such a file
is a conflict, and push and pull end with exit code 5 until you decide it by "berth folder take".`,
    examples: [
      "berth folder push web /srv/app",
      "berth folder pull web --dry-run",
      "berth folder take web sandbox --file src/main.ts",
      "berth folder follow web pull",
      "berth folder backups web; berth folder restore web 20260101T120000Z-000 src/main.ts",
    ],
    group: groups.files,
  });
  const child = (name: string, summary: string) =>
    command.command(name).description(summary).addArgument(sandboxArgument());
  does(child("show", "Show how the two stand to each other"), run, show);
  for (const direction of ["push", "pull"] as const) {
    const way =
      direction === "push" ? "Bring the folder's files into the workspace" : "Bring the workspace's files back";
    const sync = withRules(
      child(direction, way).argument("[folder]", "the folder there; the one of last time by default"),
    )
      .option("-n, --dry-run", "say what would happen, and change nothing")
      .option("--no-wait", "do not wait until it is done");
    does(sync, run, (session, at) => doSync(session, at, direction));
  }
  const changes = child("changes", "List what the last one did or would do, path by path");
  does(changes.option("--conflicts", "what is to be decided alone"), run, showChanges);
  const take = child("take", "Decide conflicts; the other side's file goes to a backup")
    .addArgument(new Argument("<side>", "whose file is kept").choices(["host", "sandbox", "both"]))
    .option("--file <path>", "a file in conflict; may be repeated, all of them by default", collect, [])
    .option("--no-wait", "do not wait until it is done");
  does(take, run, doTake);
  const backups = child("backups", "List what was replaced or deleted and is still kept, or what is in one backup");
  does(backups.addArgument(backupArgument("[backup]")), run, showBackups);
  const restore = child("restore", "Put a file of a backup back; what is there now goes to a backup of its own");
  does(restore.addArgument(backupArgument("<backup>")).argument("<file>", "its path below the folder"), run, doRestore);
  const follow = child("follow", "Keep following the changes of one side, until it is told to stop")
    .addArgument(new Argument("<direction>", "where to").choices(["push", "pull"]))
    .argument("[folder]", "the folder there; the one of last time by default");
  does(withRules(follow), run, doFollow);
  does(child("unfollow", "Stop following changes"), run, async (session, at) => {
    const input = { params: { id: argument(at, 0) } };
    tellStatus(session, await (await session.client()).call(deleteContinuousSync, input, { signal: session.signal }));
    return undefined;
  });
  return command;
}

function withRules(command: Command): Command {
  return command
    .option("--delete", "delete at the destination what is gone at the source and unchanged there")
    .option("--exclude <pattern>", "leave out, as a line of .gitignore; may be repeated", collect, [])
    .option("--no-gitignore", "take along what .gitignore names")
    .option("--no-default-excludes", "take along node_modules and the like")
    .option("--git", "take repositories' .git folders along; only on a push")
    .option("--bwlimit <KiB>", "in KiB a second");
}

function rulesOf(command: Command, folder: string | undefined) {
  const excludes = textsOption(command, "exclude");
  const bwlimitKiB = countOption(command, "bwlimit");
  if (folder !== undefined && !folder.startsWith("/"))
    throw wrongUsage("The folder is one of the controller's host, from / on.");
  return {
    ...(folder === undefined ? {} : { folder }),
    ...(excludes.length === 0 ? {} : { excludes: [...excludes] }),
    ...(flag(command, "delete") ? { delete: true } : {}),
    ...(flag(command, "gitignore") ? {} : { gitignore: false }),
    ...(flag(command, "defaultExcludes") ? {} : { defaultExcludes: false }),
    ...(flag(command, "git") ? { git: true } : {}),
    ...(bwlimitKiB === undefined ? {} : { bwlimitKiB }),
  };
}

async function doSync(session: Session, command: Command, direction: SyncDirection): Promise<number | undefined> {
  const { output } = session;
  const dryRun = flag(command, "dryRun");
  const body = { direction, ...(dryRun ? { dryRun } : {}), ...rulesOf(command, command.args[1]) };
  const id = argument(command, 0);
  const client = await session.client();
  const { operation } = await client.call(startSync, { params: { id }, body }, callOf(session));
  if (!flag(command, "wait")) {
    await tellOperation(session, command, operation);
    return undefined;
  }
  const ended = await followOperation(session, operation);
  const changes = await changesOf(session, id, { operation: ended.id });
  output.result({ operation: ended, changes }, () => (output.quiet ? "" : changeLines(changes)));
  if (!Value.Check(syncResultSchema, ended.result)) return undefined;
  tellResult(session, id, ended.result, dryRun);
  if (!dryRun) return conflictsOf(session, command);
  return ended.result.conflicts > 0 ? exitCodes.conflict : undefined;
}

function tellResult({ output }: Session, id: string, result: SyncResult, dryRun: boolean): void {
  output.note(resultWords(result, dryRun));
  if (dryRun && result.conflicts > 0) output.note(`${result.conflicts} would be in conflict.`);
  if (result.backup !== null)
    output.note(`What was replaced or deleted is in a backup: berth folder backups ${id} ${result.backup}`);
}

/** Ends with a code of its own while there is something to decide. */
async function conflictsOf(session: Session, command: Command): Promise<number | undefined> {
  if (!flag(command, "wait")) return undefined;
  const { conflicts } = await statusOf(session, command);
  if (conflicts === 0) return undefined;
  session.output.note(`${conflicts} in conflict: see berth folder changes ${argument(command, 0)} --conflicts`);
  return exitCodes.conflict;
}

async function statusOf(session: Session, command: Command): Promise<SyncStatus> {
  const input = { params: { id: argument(command, 0) } };
  return (await session.client()).call(getSync, input, { signal: session.signal });
}

async function show(session: Session, command: Command): Promise<undefined> {
  tellStatus(session, await statusOf(session, command));
  return undefined;
}

function tellStatus({ output }: Session, status: SyncStatus): void {
  output.result(status, () => {
    const { folder, last, conflicts, continuous } = status;
    const lines = [`folder     ${harmless(folder ?? "none so far")}`, `conflicts  ${conflicts}`];
    if (last) lines.push(`last       ${last.direction}${last.dryRun ? " (dry run)" : ""} at ${last.at}`);
    if (continuous) {
      const why = continuous.error ? `: ${harmless(continuous.error.message)}` : "";
      lines.push(`following  ${continuous.direction}, ${continuous.state}${why}`);
    }
    return lines.map((line) => `${line}\n`).join("");
  });
}

async function changesOf(
  session: Session,
  id: string,
  only: { action?: "conflict"; operation?: string },
): Promise<SyncChange[]> {
  const client = await session.client();
  return everyPage((page) =>
    client.call(listSyncChanges, { params: { id }, query: { ...page, ...only } }, { signal: session.signal }),
  );
}

async function showChanges(session: Session, command: Command): Promise<undefined> {
  const items = await changesOf(
    session,
    argument(command, 0),
    flag(command, "conflicts") ? { action: "conflict" } : {},
  );
  session.output.result({ items, nextCursor: null }, () =>
    items
      .map(
        ({ action, path, reason }) =>
          `${action.padEnd(8)}  ${harmless(path)}${reason ? `  (${harmless(reason)})` : ""}\n`,
      )
      .join(""),
  );
  return undefined;
}

/** Paths that one call decides. */
const pathsAtOnce = 1000;

async function doTake(session: Session, command: Command): Promise<number | undefined> {
  const [id, side] = [argument(command, 0), argument(command, 1)];
  if (side !== "host" && side !== "sandbox" && side !== "both") throw wrongUsage("It is host, sandbox or both.");
  const named = new Set(textsOption(command, "file"));
  const conflicts = await changesOf(session, id, { action: "conflict" });
  const chosen = conflicts.filter(({ path }) => named.size === 0 || named.has(path));
  const unknown = [...named].find((path) => !conflicts.some((conflict) => conflict.path === path));
  if (unknown !== undefined)
    throw wrongUsage(`${unknown} is not in conflict.`, `See berth folder changes ${id} --conflicts.`);
  for (let at = 0; at < chosen.length; at += pathsAtOnce) {
    const paths = chosen
      .slice(at, at + pathsAtOnce)
      .map(({ path, pathBytes }) => ({ path, ...(pathBytes === undefined ? {} : { pathBytes }) }));
    const input = { params: { id }, body: { take: side, paths } } as const;
    const { operation } = await (await session.client()).call(resolveSync, input, callOf(session));
    await tellOperation(session, command, operation);
  }
  return conflictsOf(session, command);
}

async function doFollow(session: Session, command: Command): Promise<undefined> {
  const direction = argument(command, 1) === "push" ? "push" : "pull";
  const input = {
    params: { id: argument(command, 0) },
    body: { direction, ...rulesOf(command, command.args[2]) },
  } as const;
  tellStatus(session, await (await session.client()).call(putContinuousSync, input, { signal: session.signal }));
  return undefined;
}

function callOf({ signal }: Session) {
  return { signal, idempotencyKey: `folder-${randomKey()}` };
}
