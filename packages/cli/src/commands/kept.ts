import { createWriteStream } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { isErrno } from "@berth/base/node";
import {
  deleteKeptWork,
  downloadKeptWork,
  everyPage,
  type KeptPart,
  type KeptWork,
  listKeptWork,
} from "@berth/protocol";
import { Argument, type Command } from "commander";
import { exitCodes } from "../exit-codes.ts";
import { CommandFailed, conflict, notFound } from "../failure.ts";
import { argument, textOption } from "../options.ts";
import { ago } from "../output/ago.ts";
import { harmless } from "../output/style.ts";
import type { Session } from "../session.ts";
import { describe, does, groups, type Run, tellDone } from "./register.ts";

/** What each part is saved as, and what it is for. */
const parts: Readonly<Record<KeptPart, { file: string; use: string }>> = {
  bundle: { file: "commits.bundle", use: "git fetch FILE HEAD" },
  bundles: { file: "bundles.tar", use: "tar -xf FILE, a bundle for each repository in a folder" },
  patch: { file: "changes.patch", use: "git apply FILE" },
  untracked: { file: "untracked.tar", use: "tar -xf FILE" },
};

/** `berth kept`: the unsaved work of sandboxes that were destroyed. */
export function keptCommand(run: Run): Command {
  const command = describe("kept", {
    summary: "List and download what was kept of the unsaved work in destroyed sandboxes",
    examples: [
      "berth kept",
      "berth kept download kept_…",
      "berth kept download kept_… --to /tmp/web",
      "berth kept rm kept_…",
    ],
    group: groups.fleet,
  });
  // Completion knows it by this name.
  const kept = () => new Argument("<kept>", "the id of kept work");
  does(command.command("ls", { isDefault: true }).description("List it, the newest first"), run, list);
  const download = command.command("download").description("Download all its parts: commits, changes, untracked files");
  does(download.addArgument(kept()).option("--to <folder>", "where to; here by default"), run, save);
  does(command.command("rm").description("Delete it before its time").addArgument(kept()), run, remove);
  return command;
}

async function all(session: Session): Promise<KeptWork[]> {
  const client = await session.client();
  return everyPage((query) => client.call(listKeptWork, { query }, { signal: session.signal }));
}

async function list(session: Session): Promise<undefined> {
  const { output, surroundings } = session;
  const items = await all(session);
  const now = surroundings.clock.now();
  const rows = items.map((kept) => [
    kept.id,
    kept.sandboxName,
    kept.parts.map(({ part, bytes }) => `${part} ${bytes}`).join(", "),
    ago(kept.createdAt, now),
    kept.expiresAt.slice(0, 10),
    harmless(kept.missing ?? ""),
  ]);
  output.result({ items, nextCursor: null }, () =>
    output.table(["KEPT", "SANDBOX", "PARTS AND BYTES", "AGE", "UNTIL", "MISSING"], rows),
  );
  return undefined;
}

async function save(session: Session, command: Command): Promise<undefined> {
  const { output, signal } = session;
  const id = argument(command, 0);
  const kept = (await all(session)).find((one) => one.id === id);
  if (!kept) throw notFound(`There is no kept work ${id}.`, "See berth kept.");
  const folder = textOption(command, "to") ?? ".";
  const controller = await session.controller();
  for (const { part, bytes } of kept.parts) {
    const path = join(folder, `${kept.sandboxName}-${parts[part].file}`);
    const { body } = await controller.stream(downloadKeptWork, { params: { id, part } }, { signal });
    // What is there is not overwritten.
    await pipeline(Readable.from(body ?? []), createWriteStream(path, { flags: "wx", mode: 0o600 }), { signal }).catch(
      (error: unknown) => {
        throw notWritten(path, error);
      },
    );
    output.item({ part, path, bytes }, () => `${path}  (${parts[part].use.replace("FILE", path)})\n`);
  }
  return undefined;
}

/** What is told of a file that could not be written; any other error is itself. */
function notWritten(path: string, error: unknown): unknown {
  if (isErrno(error, "EEXIST"))
    return conflict("file_exists", `${path} is there already.`, "Say another folder by --to.");
  if (!(error instanceof Error && "syscall" in error)) return error;
  return new CommandFailed(exitCodes.failed, "not_written", `${path} cannot be written: ${error.message}.`);
}

async function remove(session: Session, command: Command): Promise<undefined> {
  const id = argument(command, 0);
  await (await session.client()).call(deleteKeptWork, { params: { id } }, { signal: session.signal });
  tellDone(session, { id }, "The kept work is deleted.");
  return undefined;
}
