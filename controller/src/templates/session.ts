import { connectSsh, HostKeyMismatch, type SshConnection } from "../bootstrap/connect.ts";
import { StepFailure, Superseded } from "../sandboxes/failures.ts";
import type { TemplateRow } from "./record.ts";
import { RemoteCommandLost } from "./remote-command.ts";
import type { BuildDependencies } from "./steps/dependencies.ts";
import { powerOff } from "./steps/power.ts";

/**
 * Works over SSH in a build's container, as root. The connection is closed at the end. Once it is provisioned the
 * container has to show the bootstrap's host key and no other.
 */
export async function inContainer<T>(
  deps: BuildDependencies,
  row: TemplateRow,
  signal: AbortSignal,
  work: (connection: SshConnection) => Promise<T>,
): Promise<T> {
  const connection = await reach(deps, row, row.provisioned ? [] : (row.host_keys ?? []), signal);
  try {
    return await work(connection);
  } catch (error) {
    if (signal.aborted) throw new Superseded();
    if (!(error instanceof RemoteCommandLost)) throw error;
    throw new StepFailure(
      {
        code: "ssh_unreachable",
        message: `The work in the container was cut: ${error.message}.`,
        hint: "Look at the container's console in Proxmox, and at the network between it and the controller; then build again.",
      },
      { retry: true, cause: error },
    );
  } finally {
    connection.close();
  }
}

/**
 * Signs in where one of these host keys is shown. Before it is provisioned, the container has the keys that it was made
 * with and lets the fleet's key in; afterwards both are those of the bootstrap.
 */
export async function reach(
  deps: BuildDependencies,
  row: TemplateRow,
  hostKeys: readonly string[],
  signal: AbortSignal,
): Promise<SshConnection> {
  const bootstrap = deps.keys.templateKeys(row.id);
  const target = {
    host: row.address ?? "",
    port: deps.sshPort,
    username: "root",
    hostKeyFingerprints: [...hostKeys, bootstrap.host.fingerprint],
    privateKeys: [deps.keys.sshClient.privateKey, bootstrap.client.privateKey],
  };
  try {
    return await connectSsh(target, signal);
  } catch (error) {
    if (signal.aborted) throw new Superseded();
    // A provisioning that was cut may have changed whom sshd lets in without having told it: a boot does.
    if (isRefused(error)) await powerOff(deps, row);
    throw unreachable(row, error);
  }
}

/** ssh2 tells a refused key by this text alone. */
function isRefused(error: unknown): boolean {
  return error instanceof Error && error.message.includes("authentication methods failed");
}

function unreachable(row: TemplateRow, error: unknown): StepFailure {
  const mismatch = error instanceof HostKeyMismatch;
  const detail = error instanceof Error ? error.message : "unknown error";
  return new StepFailure(
    {
      code: mismatch ? "host_key_mismatch" : "ssh_unreachable",
      message: mismatch
        ? `${row.address} shows the SSH host key ${error.seen}, which is not one that Proxmox gave the container ${row.vmid}.`
        : `SSH to the container ${row.vmid} at ${row.address} failed: ${detail}.`,
      hint: mismatch
        ? "Another machine uses this address: look at the DHCP server of the bridge; then build again."
        : "Look whether the controller reaches port 22 of containers on that bridge (VLAN, firewall); then build again.",
    },
    { retry: !mismatch, cause: error },
  );
}
