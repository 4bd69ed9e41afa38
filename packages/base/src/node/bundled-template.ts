import { deriveSecret, type SshKeyPair, sshKeyPair } from "./ssh-key.ts";

/** The two keys that a fresh clone of a template knows, until its bootstrap replaces them. */
export interface BootstrapKeys {
  /** The clone's SSH host key; the controller accepts no other on the first connection. */
  readonly host: SshKeyPair;
  /** The key that the controller signs in with on the first connection. */
  readonly client: SshKeyPair;
}

/**
 * The bootstrap keys of the template that the bundled Proxmox emulator carries. Both sides know the secret of the
 * controller's API token and nobody else does, so nothing else has to be carried from one to the other. A clone holds
 * the host's private half and the client's public half, and from these the secret cannot be had.
 */
export function bundledTemplateKeys(tokenSecret: string): BootstrapKeys {
  return {
    host: sshKeyPair(deriveSecret(tokenSecret, "bundled template: host key"), "berth-bootstrap-host"),
    client: sshKeyPair(deriveSecret(tokenSecret, "bundled template: client key"), "berth-bootstrap-client"),
  };
}
