import { execFile } from "node:child_process";
import { chown, readFile } from "node:fs/promises";
import { hostname as machineHostname } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { isErrno, readTextIfExists, writeFileAtomic } from "@berth/base/node";
import { guestUser } from "@berth/protocol";
import type { Root } from "../root.ts";
import type { BootstrapMachine } from "./steps.ts";

const run = promisify(execFile);

/** The container that this program runs in: one with systemd, as root, or a folder and processes. */
export const thisMachine: BootstrapMachine = {
  async setHostname(root, hostname) {
    // In a folder the hostname is the machine's own; in a container it is set for now, and the file for later boots.
    if (root.isFolder) return;
    // Proxmox has named it mostly. A program that need not be started is worth a look: many clones come up at once.
    if (machineHostname() !== hostname) await run("hostname", [hostname]);
    const hosts = join(root.path, "etc/hosts");
    const before = (await readTextIfExists(hosts)) ?? "";
    const after = withHostname(before, hostname);
    if (after !== before) await writeFileAtomic(hosts, after, 0o644);
  },

  async giveToAgent(root, path) {
    if (root.isFolder) return;
    const { user, group } = idsOf(guestUser, await readFile(join(root.path, "etc/passwd"), "utf8"));
    for (const one of [dirname(path), path]) await chown(one, user, group);
  },

  async reloadSsh(root) {
    const pid = await readTextIfExists(join(root.path, "run/sshd.pid"));
    if (pid !== undefined && signal(Number(pid), "SIGHUP")) return;
    if (!root.isFolder) await run("systemctl", ["try-reload-or-restart", "ssh.service"]);
  },

  async startPrograms(root, configChanged) {
    if (root.isFolder) return tellInit(root);
    // Nobody waits here for the programs: the agent's hello says that they run, and the controller awaits that anyway.
    // The agent's unit wants the PTY host's, which is so started with it; one that runs stays as it is.
    await run("systemctl", ["--no-block", configChanged ? "restart" : "start", "berth-agent.service"]);
  },
};

/** The ids of a user and of its group, from the contents of `/etc/passwd`. Throws if there is no such user. */
export function idsOf(name: string, passwd: string): { readonly user: number; readonly group: number } {
  const fields = passwd.split("\n").map((line) => line.split(":"));
  const [, , user, group] = fields.find(([found]) => found === name) ?? [];
  if (user === undefined || group === undefined) throw new Error(`the container has no user ${name}`);
  return { user: Number(user), group: Number(group) };
}

/**
 * The contents of `/etc/hosts` with the container's name in them, where Debian has it: without it, `sudo` waits for a
 * name server. A line that another tool wrote, as Proxmox does between marks of its own, is enough.
 */
export function withHostname(hosts: string, hostname: string): string {
  const lines = hosts.split("\n").filter((line) => !/^127\.0\.1\.1\s/.test(line));
  const named = lines.some((line) => line.replace(/#.*/, "").trim().split(/\s+/).slice(1).includes(hostname));
  if (named) return lines.join("\n");
  const text = lines.join("\n");
  return `${text === "" || text.endsWith("\n") ? text : `${text}\n`}127.0.1.1\t${hostname}\n`;
}

async function tellInit(root: Root): Promise<void> {
  const init = Number(await readFile(join(root.path, "run/init.pid"), "utf8"));
  if (!signal(init, "SIGHUP")) throw new Error("the container's init process is not running");
}

function signal(pid: number, name: NodeJS.Signals): boolean {
  if (!Number.isInteger(pid) || pid <= 1) return false;
  try {
    process.kill(pid, name);
    return true;
  } catch (error) {
    if (isErrno(error, "ESRCH")) return false;
    throw error;
  }
}
