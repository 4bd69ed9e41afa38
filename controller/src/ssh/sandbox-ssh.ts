import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { isErrno, writeFileAtomic } from "@berth/base/node";
import { BerthError } from "@berth/protocol";
import type { SshTarget } from "../bootstrap/connect.ts";
import type { FleetKeys } from "../fleet/keys.ts";
import type { SandboxRow } from "../sandboxes/record.ts";
import { openSshConfig } from "./config-text.ts";
import { askGuestPlace, type GuestPlace, workspaceOf } from "./guest-place.ts";

/** What of a sandbox's row says how it is reached. */
export type ReachableRow = Pick<SandboxRow, "id" | "name" | "address" | "ssh_port" | "ssh_user" | "bootstrapped_at">;

/** How programs that use the real OpenSSH reach a sandbox; good until its address changes. */
export interface OpenSshAccess {
  /** The client with its configuration: the host and the remote command follow. */
  readonly command: readonly [string, ...string[]];
  /** The host to name. It is the sandbox's id, so it never looks like an option. */
  readonly host: string;
  readonly username: string;
  /** The workspace's absolute path as programs see it that sign in so. */
  readonly workspace: string;
}

export interface SandboxSshDependencies {
  /** The client's files are in its folder `ssh`. */
  readonly dataDir: string;
  readonly keys: FleetKeys;
}

/**
 * How the controller reaches sandboxes by SSH: as the user of their terminals, with the fleet's client key, and with no
 * other host key than the one that each was given. Nothing of the machine's or its users' SSH configuration counts.
 */
export class SandboxSsh {
  readonly #deps: SandboxSshDependencies;
  readonly #folder: string;
  /** By sandbox and address: a container that was made anew under the same id may be of another kind. */
  readonly #places = new Map<string, { address: string; place: Promise<GuestPlace> }>();

  constructor(dependencies: SandboxSshDependencies) {
    this.#deps = dependencies;
    this.#folder = join(dependencies.dataDir, "ssh");
  }

  /** For `connectSsh`. Throws `sandbox_not_ready` for a sandbox without an address or an identity of its own. */
  async target(row: ReachableRow, signal?: AbortSignal): Promise<SshTarget> {
    const { username } = await this.place(row, signal);
    return { ...this.#pinned(row), username };
  }

  /** For programs that run OpenSSH, such as rsync and git. Throws as `target` does, and what connecting throws. */
  async openSsh(row: ReachableRow, signal?: AbortSignal): Promise<OpenSshAccess> {
    const place = await this.place(row, signal);
    const { host, port } = this.#pinned(row);
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const identityFile = join(this.#folder, "client_key");
    const knownHostsFile = join(this.#folder, `${row.id}.known_hosts`);
    const configFile = join(this.#folder, `${row.id}.conf`);
    await keepFile(identityFile, this.#deps.keys.sshClient.privateKey);
    await keepFile(knownHostsFile, `${row.id} ${this.#deps.keys.hostKey(row.id).publicKey}\n`);
    const { username } = place;
    await keepFile(configFile, openSshConfig({ alias: row.id, host, port, username, identityFile, knownHostsFile }));
    return { command: ["ssh", "-F", configFile], host: row.id, username, workspace: workspaceOf(place) };
  }

  /** Who one is in a sandbox, and where its things are: asked once an address. */
  async place(row: ReachableRow, signal?: AbortSignal): Promise<GuestPlace> {
    const pinned = this.#pinned(row);
    const known = this.#places.get(row.id);
    if (known?.address === pinned.host) return known.place;
    const place = askGuestPlace(pinned, row.ssh_user ?? "root", signal);
    this.#places.set(row.id, { address: pinned.host, place });
    place.catch(() => this.#places.delete(row.id));
    return place;
  }

  /** Removes what is kept for a sandbox that is gone. */
  async forget(sandboxId: string): Promise<void> {
    this.#places.delete(sandboxId);
    for (const ending of ["conf", "known_hosts"])
      await rm(join(this.#folder, `${sandboxId}.${ending}`), { force: true });
  }

  #pinned(row: ReachableRow): Omit<SshTarget, "username"> {
    if (row.address === null || row.bootstrapped_at === null) {
      throw new BerthError("sandbox_not_ready", `The sandbox "${row.name}" cannot be reached yet.`, {
        hint: "Start it, and wait until it is ready.",
      });
    }
    const { keys } = this.#deps;
    return {
      host: row.address,
      port: row.ssh_port ?? 22,
      hostKeyFingerprints: [keys.hostKey(row.id).fingerprint],
      privateKeys: [keys.sshClient.privateKey],
    };
  }
}

/** Writes a file unless it has these contents: others may be reading it. */
async function keepFile(path: string, contents: string): Promise<void> {
  try {
    if ((await readFile(path, "utf8")) === contents) return;
  } catch (error) {
    if (!isErrno(error, "ENOENT")) throw error;
  }
  await writeFileAtomic(path, contents);
}
