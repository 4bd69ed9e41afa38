import { readdir, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { makePrivateDirectory, readTextIfExists, sshFingerprint, writeFileAtomic } from "@berth/base/node";
import type { AgentConfig, BootstrapRequest, BootstrapResult } from "@berth/protocol";
import { guestPath, type Root } from "../root.ts";
import { agentVersion } from "../version.ts";

/** How the steps reach what is outside files. */
export interface BootstrapMachine {
  /** Makes the SSH server read its host key again; sessions that are open go on. */
  reloadSsh(root: Root): Promise<void>;
  /** Starts the PTY host and the agent, and restarts an agent that runs with another configuration. */
  startPrograms(root: Root, configChanged: boolean): Promise<void>;
  /** Names the running container, and lets it find its own name. */
  setHostname(root: Root, hostname: string): Promise<void>;
  /** Gives a file and its folder to the user that the agent runs as. */
  giveToAgent(root: Root, path: string): Promise<void>;
}

/**
 * Makes a fresh clone the sandbox that the controller means. Each step replaces one file atomically or repeats safely,
 * so that a bootstrap that was killed anywhere is run again from the start; until it has answered, the controller
 * accepts the bootstrap host key or the sandbox's own.
 *
 * The order matters: the keys that may sign in come before the host key, since the key that signed in now is taken back
 * with them; the agent's configuration comes last of the files, since the agent starts once it is there, and by then
 * the bootstrap host key must be gone.
 *
 * Gone means that no name leads to it any more: the file of the new key took its place. Overwriting it first could leave
 * a container without any host key, and would hide nothing: a clone shares the template's blocks or layers, which only
 * the node can read, and there lies the template itself.
 */
export async function bootstrap(
  root: Root,
  request: BootstrapRequest,
  machine: BootstrapMachine,
): Promise<BootstrapResult> {
  const machineId = await readMachineId(root);
  const fingerprint = publicKeyFingerprint(request.hostKey.publicKey);
  await replace(guestPath(root, "hostname"), `${request.hostname}\n`, 0o644);
  await machine.setHostname(root, request.hostname);
  await replace(guestPath(root, "authorizedKeys"), lines(request.authorizedKeys), 0o644);
  const hostKey = guestPath(root, "sshHostKey");
  await replace(hostKey, withNewline(request.hostKey.privateKey), 0o600);
  await replace(`${hostKey}.pub`, withNewline(request.hostKey.publicKey), 0o644);
  await removeLeftovers(hostKey);
  await machine.reloadSsh(root);
  const config: AgentConfig = { ...request.agent, machineId };
  const configPath = guestPath(root, "agentConfig");
  const configChanged = await replace(configPath, `${JSON.stringify(config)}\n`, 0o600);
  // Each time: an earlier bootstrap may have been killed in between.
  await machine.giveToAgent(root, configPath);
  await machine.startPrograms(root, configChanged);
  return { machineId, hostKeyFingerprint: fingerprint, agentVersion };
}

async function readMachineId(root: Root): Promise<string> {
  const machineId = (await readTextIfExists(guestPath(root, "machineId")))?.trim() ?? "";
  if (!/^[0-9a-f]{32}$/.test(machineId)) throw new Error("the container has no machine-id yet");
  return machineId;
}

/** `SHA256:…` of a line `type base64 comment`; throws if it is none. */
function publicKeyFingerprint(publicKey: string): string {
  const blob = /^ssh-ed25519 ([A-Za-z0-9+/]+={0,2})(?: [^\r\n]*)?\s*$/.exec(publicKey)?.[1];
  if (!blob) throw new Error("the host key's public half is not a key");
  return sshFingerprint(Buffer.from(blob, "base64"));
}

/** Writes a file if its contents differ; answers whether they did. */
async function replace(path: string, contents: string, mode: number): Promise<boolean> {
  if ((await readTextIfExists(path)) === contents) return false;
  await makePrivateDirectory(dirname(path));
  await writeFileAtomic(path, contents, mode);
  return true;
}

/** A killed bootstrap may have left the beginnings of a key file beside it. */
async function removeLeftovers(path: string): Promise<void> {
  const folder = dirname(path);
  for (const name of await readdir(folder)) {
    if (name.startsWith(basename(path)) && name.endsWith(".tmp")) await rm(join(folder, name), { force: true });
  }
}

function withNewline(text: string): string {
  return text.endsWith("\n") ? text : `${text}\n`;
}

function lines(items: readonly string[]): string {
  return items.map((item) => `${item}\n`).join("");
}
