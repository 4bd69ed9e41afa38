import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtemp, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { makePrivateDirectory, syncDirectory } from "@berth/base/node";
import type { ProgramsParams } from "@berth/protocol/link";
import { checkAnswer, checkArgument } from "../../check.ts";
import { readState } from "../../launch/state.ts";
import { errorText } from "../../log.ts";
import { writeState } from "./updates-folder.ts";

const run = promisify(execFile);
const checkTimeoutMs = 10_000;
const unpackTimeoutMs = 60_000;

/** This version does not work here, and will not the next time either; the message says why. Nothing has changed. */
export class UpdateRefused extends Error {
  override readonly name = "UpdateRefused";
}

/**
 * Brings a version of the programs to disk, proves that each of them can be started, and has the launcher try it out from
 * the next start on. Throws `UpdateRefused`. Killed at any point, it leaves what counted before, or all of the new one.
 */
export async function installUpdate(folder: string, archive: Uint8Array, params: ProgramsParams): Promise<void> {
  const sha256 = createHash("sha256").update(archive).digest("hex");
  if (sha256 !== params.sha256) throw new Error("the archive is not the one that was announced");
  await makePrivateDirectory(folder);
  const incoming = await mkdtemp(join(folder, "incoming-"));
  try {
    await unpack(archive, incoming);
    await check(join(incoming, "agent.mjs"), checkAnswer.agent(params.version));
    await check(join(incoming, "pty-host.mjs"), checkAnswer.ptyHost);
    // All of it is on disk before anything counts on it.
    await run("sync", ["-f", incoming], { timeout: unpackTimeoutMs });
    const target = join(folder, params.version);
    await rm(target, { recursive: true, force: true });
    await rename(incoming, target);
    await syncDirectory(folder);
  } finally {
    await rm(incoming, { recursive: true, force: true });
  }
  const { proven } = readState(folder);
  await writeState(folder, { ...(proven === undefined ? {} : { proven }), trying: params.version });
}

async function unpack(archive: Uint8Array, folder: string): Promise<void> {
  const args = ["--extract", "--gzip", "--no-same-owner", "--file=-", `--directory=${folder}`];
  const unpacking = run("tar", args, { timeout: unpackTimeoutMs, killSignal: "SIGKILL" });
  // A tar that ends early says why by its exit.
  unpacking.child.stdin?.on("error", () => {});
  unpacking.child.stdin?.end(archive);
  await unpacking;
}

async function check(program: string, wanted: string): Promise<void> {
  try {
    const args = [program, checkArgument];
    const { stdout } = await run(process.execPath, args, { timeout: checkTimeoutMs, killSignal: "SIGKILL" });
    if (stdout.trim() === wanted) return;
    throw new Error(`it answered "${stdout.trim().slice(0, 200)}"`);
  } catch (error) {
    throw new UpdateRefused(`${program} does not work here: ${errorText(error)}`, { cause: error });
  }
}
