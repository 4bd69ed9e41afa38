import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { rm } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { systemClock } from "@berth/base";
import { isRunning } from "@berth/base/node";
import { type Unit, units } from "@berth/template";
import Type, { type Static } from "typebox";
import { loadJson } from "../../state/json-file.ts";
import { processIdentitySchema } from "../../state/process-identity-schema.ts";
import type { ContainerFiles } from "./container-files.ts";
import { guestEnvironment, sshPort } from "./guest-files.ts";
import { processPaths } from "./process-paths.ts";
import { tagged, tagOfRoot } from "./process-tag.ts";

const initStateSchema = Type.Object({ ...processIdentitySchema.properties, startedAtMs: Type.Number() });
/** What init writes about itself. */
export type InitState = Static<typeof initStateSchema>;

const startTimeoutMs = 15_000;
const pollMs = 5;

/** The init of a container that an earlier emulator started, if it still runs. */
export async function findInit(files: ContainerFiles): Promise<InitState | undefined> {
  const state = await loadJson(files.initState, initStateSchema).catch(() => undefined);
  return state && isRunning(state) ? state : undefined;
}

/** Starts a container's init in a session of its own, so that it outlives the emulator. */
export async function spawnInit(
  files: ContainerFiles,
  sshd: string,
): Promise<{ child: ChildProcess; state: InitState }> {
  await rm(files.initState, { force: true });
  const { root } = files;
  const log = openSync(join(root, processPaths.logs, "init.log"), "w", 0o600);
  const init = [process.execPath, "--max-semi-space-size=1", initProgram(), root, files.initState];
  const [command = "", ...args] = tagged(tagOfRoot(root), [...init, ...services(root, sshd)]);
  const environment = guestEnvironment(root);
  const child = spawn(command, args, { detached: true, stdio: ["ignore", log, log], env: environment, cwd: root });
  closeSync(log);
  child.unref();
  const deadline = performance.now() + startTimeoutMs;
  while (performance.now() < deadline && child.exitCode === null && child.signalCode === null) {
    const state = await findInit(files);
    if (state && state.pid === child.pid) return { child, state };
    await systemClock.sleep(pollMs);
  }
  child.kill("SIGKILL");
  throw new Error(`its init did not start (see ${join(root, processPaths.logs, "init.log")})`);
}

/** Resolves when sshd answers on the container's address; throws when init ends or the time is up. */
export async function waitForSsh(address: string, state: InitState): Promise<void> {
  const deadline = performance.now() + startTimeoutMs;
  while (performance.now() < deadline && isRunning(state)) {
    if (await answers(address)) return;
    await systemClock.sleep(pollMs);
  }
  throw new Error(`its sshd does not answer on ${address}:${sshPort}`);
}

function answers(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(sshPort, address);
    const settle = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once("connect", () => settle(true));
    socket.once("error", () => settle(false));
  });
}

/** The program beside this one: a source beside a source, a bundle beside a bundle. */
function initProgram(): string {
  const extension = import.meta.url.endsWith(".ts") ? ".ts" : ".mjs";
  return fileURLToPath(new URL(`./init${extension}`, import.meta.url));
}

/** sshd and all programs of Berth's: nobody here listens for the one that systemd would start by its socket. */
function services(root: string, sshd: string): string[] {
  const own = [";", "sshd", "", sshd, "-D", "-e", "-f", join(root, processPaths.sshdConfig)];
  const unit = ({ name, condition, program, args }: Unit) => {
    return [";", name, join(root, condition), join(root, "usr/bin/node"), join(root, program), ...args];
  };
  return [...own, ...units.flatMap(unit)];
}
