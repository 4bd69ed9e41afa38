import { resolve } from "node:path";
import { getSandbox, type Sandbox } from "@berth/protocol";
import type { SyncReport } from "@berth/sync";
import { type Command, Option } from "commander";
import { exitCodes } from "../exit-codes.ts";
import { wrongUsage } from "../failure.ts";
import { argument, countOption, flag, textOption, textsOption } from "../options.ts";
import type { Session } from "../session.ts";
import { refuseOff } from "../ssh/reachable.ts";
import { changeLines, presentChanges, presentResult, resultWords } from "../sync/present.ts";
import { type FolderSync, openSync } from "../sync/run.ts";
import { watchAndSync } from "../sync/watch.ts";
import { WatchView } from "../sync/watch-view.ts";
import type { SyncWish } from "../sync/wish.ts";
import { collect, describe, does, groups, type Run, sandboxArgument } from "./register.ts";

/** `berth sync`: a folder of this machine and a workspace, by rsync through the gateway. */
export function syncCommand(run: Run): Command {
  const command = describe("sync", {
    summary: "Bring a folder of this machine and a sandbox's workspace together, by rsync",
    more: `From here to there, or back with --pull. Nothing is overwritten that has changed there since the last sync: what
changed on both sides is a conflict, is left as it is on both, and ends with exit code 5 until you decide it by
--take. What is replaced or deleted goes to a dated backup. What .gitignore and .berthignore name stays out.
With --watch changes follow within two seconds. It waits where the sandbox cannot be reached, says why, and goes on.
What changes in a folder of --path, which is no workspace, is looked for every five seconds.`,
    examples: [
      "berth sync web                      # this folder into its workspace",
      "berth sync web ./app --pull --dry-run",
      "berth sync web --watch              # and whatever changes here from now on",
      "berth sync web --take here --file src/main.ts",
    ],
    group: groups.files,
  })
    .addArgument(sandboxArgument())
    .argument("[folder]", "the folder here; the present one by default")
    .option("--pull", "from the sandbox to here")
    .option("-w, --watch", "go on with each change, until Ctrl-C")
    .option("-n, --dry-run", "say what would happen, and change nothing")
    .option("--delete", "delete at the destination what is gone at the source and unchanged there")
    .option("--exclude <pattern>", "leave out, as a line of .gitignore; may be repeated", collect, [])
    .option("--no-gitignore", "take along what .gitignore names")
    .option("--no-default-excludes", "take along node_modules and the like")
    .option("--git", "take repositories' .git folders along")
    .option("--bwlimit <KiB>", "in KiB a second")
    .addOption(new Option("--take <side>", "decide conflicts of --file so").choices(["here", "sandbox", "both"]))
    .option("--file <path>", "a file in conflict, below the folder; may be repeated", collect, [])
    .option("--path <folder>", "the folder there; its workspace by default");
  return does(command, run, doSync);
}

async function doSync(session: Session, command: Command): Promise<number | undefined> {
  const wish = wishOf(command);
  const id = argument(command, 0);
  const sandbox = await (await session.client()).call(getSandbox, { params: { id } }, { signal: session.signal });
  // A watch waits for it.
  if (!flag(command, "watch")) refuseOff(sandbox);
  const pair = await openSync(session, sandbox, wish);
  session.scope.add(() => pair.close());
  if (flag(command, "watch")) return watch(session, sandbox, pair);
  const report = await pair.sync();
  tell(session, report, pair);
  return report.counts.conflict > 0 ? exitCodes.conflict : undefined;
}

async function watch(session: Session, sandbox: Sandbox, pair: FolderSync): Promise<never> {
  const view = new WatchView(session.output, pair.wish, sandbox.name);
  try {
    return await watchAndSync(session, sandbox, pair, (state) => view.show(state));
  } finally {
    view.end();
  }
}

/** What the options ask for; throws `CommandFailed` where they do not fit each other. */
export function wishOf(command: Command): SyncWish {
  const take = textOption(command, "take");
  const files = textsOption(command, "file");
  if ((take === undefined) !== (files.length === 0)) throw wrongUsage("--take and --file go together.");
  const once = flag(command, "dryRun") || take !== undefined;
  if (once && flag(command, "watch")) throw wrongUsage("--watch goes with neither --dry-run nor --take.");
  const bwlimitKiB = countOption(command, "bwlimit");
  const path = textOption(command, "path");
  if (path !== undefined && !path.startsWith("/")) throw wrongUsage("--path is a folder from / on.");
  // Taking one side's version is a sync from there.
  const pull = take === "here" ? false : take === "sandbox" ? true : flag(command, "pull");
  return {
    direction: pull ? "pull" : "push",
    folder: resolve(command.args[1] ?? "."),
    dryRun: flag(command, "dryRun"),
    deletes: flag(command, "delete"),
    filter: {
      excludes: textsOption(command, "exclude"),
      gitignore: flag(command, "gitignore"),
      defaultExcludes: flag(command, "defaultExcludes"),
      git: flag(command, "git"),
    },
    ...(bwlimitKiB === undefined ? {} : { bwlimitKiB }),
    ...(take === undefined ? {} : { resolve: { files, as: take === "both" ? "both" : "source" } }),
    ...(path === undefined ? {} : { path }),
  };
}

function tell({ output }: Session, report: SyncReport, { wish, backupFolder }: FolderSync): void {
  const changes = presentChanges(report, wish.direction);
  const result = presentResult(report);
  output.result({ result, changes }, () => (output.quiet ? "" : changeLines(changes)));
  output.note(resultWords(result, wish.dryRun));
  if (result.backup !== null) output.note(`What was replaced or deleted is in ${backupFolder(result.backup)}`);
  if (result.conflicts > 0)
    output.note(`${result.conflicts} in conflict: decide with --take here|sandbox|both --file PATH.`);
}
