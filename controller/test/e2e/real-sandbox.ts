import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { sshKeyPair } from "@berth/base/node";
import { createKey, guestUser, type Sandbox } from "@berth/protocol";
import { eventually, temporaryDirectory } from "@berth/testkit";
import { loadFleetKeys } from "../../src/fleet/keys.ts";
import type { Berth } from "./berth.ts";

/** How a command ended. */
export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A person of this Berth at a machine of theirs: OpenSSH, a key that Berth knows, and the fleet's host keys pinned. */
export class SshUser {
  readonly #berth: Berth;
  readonly #folder: string;
  readonly dispose: () => Promise<void>;

  private constructor(berth: Berth, folder: string, dispose: () => Promise<void>) {
    this.#berth = berth;
    this.#folder = folder;
    this.dispose = dispose;
  }

  /** Registers a new key; sandboxes that are made from now on know it. */
  static async register(berth: Berth): Promise<SshUser> {
    const folder = await temporaryDirectory("berth-e2e-ssh-");
    const key = sshKeyPair(randomBytes(32), "somebody");
    await writeFile(join(folder.path, "key"), key.privateKey, { mode: 0o600 });
    await berth.client.call(createKey, { body: { name: "laptop", publicKey: key.publicKey } });
    return new SshUser(berth, folder.path, () => folder.dispose());
  }

  /** Runs a command line in a sandbox; throws with what it said unless it succeeds. */
  async run(sandbox: Sandbox, command: string): Promise<string> {
    const { code, stdout, stderr } = await this.attempt(sandbox, command);
    if (code !== 0) throw new Error(`\`${command}\` ended with ${code}: ${stderr}${stdout}`);
    return stdout.trim();
  }

  /** Runs a command line in a sandbox, with other options of OpenSSH or as another user. */
  async attempt(
    sandbox: Sandbox,
    command: string,
    { user = guestUser, options = [] }: { user?: string; options?: readonly string[] } = {},
  ): Promise<Ended> {
    return execute("ssh", [...(await this.#arguments(sandbox, user, options)), command]);
  }

  async #arguments(sandbox: Sandbox, user: string, options: readonly string[]): Promise<string[]> {
    const fleet = await loadFleetKeys(this.#berth.dataDir);
    const known = join(this.#folder, `known-${sandbox.id}`);
    await writeFile(known, `${sandbox.address} ${fleet.hostKey(sandbox.id).publicKey}\n`);
    const settings = [
      ...options,
      "BatchMode=yes",
      "ConnectTimeout=10",
      "StrictHostKeyChecking=yes",
      `UserKnownHostsFile=${known}`,
      `IdentityFile=${join(this.#folder, "key")}`,
      "IdentitiesOnly=yes",
    ];
    return ["-F", "none", ...settings.flatMap((setting) => ["-o", setting]), `${user}@${sandbox.address}`];
  }
}

/** What systemd says of a unit's property in a sandbox. */
export function unitProperty(ssh: SshUser, sandbox: Sandbox, unit: string, property: string): Promise<string> {
  return ssh.run(sandbox, `systemctl show --value --property ${property} ${unit}`);
}

/** Waits until SSH answers again, and a command in the sandbox succeeds. */
export function untilRuns(ssh: SshUser, sandbox: Sandbox, command: string): Promise<Ended> {
  const runs = async () => {
    const ended = await ssh.attempt(sandbox, command, { options: ["ConnectTimeout=2"] });
    return ended.code === 0 ? ended : undefined;
  };
  return eventually(runs, { timeoutMs: 60_000, intervalMs: 200, what: `\`${command}\` in ${sandbox.name}` });
}

/** Freezes all processes of a sandbox's container for so long, as a backup or a pause by hand does. */
export async function freezeFor(berth: Berth, sandbox: Sandbox, ms: number): Promise<void> {
  const { path, frozen, thawed } = await freezer(berth, sandbox);
  await writeFile(path, frozen);
  try {
    await new Promise((resolve) => setTimeout(resolve, ms));
  } finally {
    await writeFile(path, thawed);
  }
}

/** The switch of the kernel's, in version 2 of its control groups or in version 1. */
async function freezer(berth: Berth, sandbox: Sandbox): Promise<{ path: string; frozen: string; thawed: string }> {
  const [, init = ""] = /^\/proc\/(\d+)\/root$/.exec(await berth.rootOf(sandbox)) ?? [];
  // The container's first process may be in a group of its own below.
  const groups = await readFile(`/proc/${init}/cgroup`, "utf8");
  const group = /\/lxc\.payload\.[^/\n]+/.exec(groups)?.[0] ?? "";
  return /^\d+:freezer:/m.test(groups)
    ? { path: `/sys/fs/cgroup/freezer${group}/freezer.state`, frozen: "FROZEN", thawed: "THAWED" }
    : { path: `/sys/fs/cgroup${group}/cgroup.freeze`, frozen: "1", thawed: "0" };
}

function execute(command: string, args: readonly string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(command, args, { timeout: 60_000 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : 255;
      resolve({ code, stdout, stderr });
    });
  });
}
