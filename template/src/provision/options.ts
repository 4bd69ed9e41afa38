/** What a machine without the internet cannot install: optional in the emulator, required on Proxmox. */
export const fetchedParts = ["docker", "lazygit", "lazydocker"] as const;
export type FetchedPart = (typeof fetchedParts)[number];

export interface ProvisionOptions {
  /** Left out with a `berth-skipped` line when they cannot be had; any other part that is missing fails the script. */
  readonly optional: readonly FetchedPart[];
  /** `templateVersion` of the payload: the container remembers it. */
  readonly version: string;
  /** The keys that a fresh clone knows until its bootstrap. Without them it has no host key at all, and no way in. */
  readonly bootstrap?: BootstrapFiles;
}

export interface BootstrapFiles {
  /** In OpenSSH's format. */
  readonly hostPrivateKey: string;
  /** A line of an `authorized_keys` file. */
  readonly clientPublicKey: string;
}
