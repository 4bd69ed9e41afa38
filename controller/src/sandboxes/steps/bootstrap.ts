import { randomBytes } from "node:crypto";
import { isProxmoxError } from "@berth/proxmox";
import { isJustAdopted, type Kept, readKept } from "../../adoption/kept.ts";
import { formerSecrets } from "../../agents/secrets.ts";
import { BootstrapRefused, runBootstrap } from "../../bootstrap/bootstrap.ts";
import { connectSsh, HostKeyMismatch, type SshConnection } from "../../bootstrap/connect.ts";
import { hashSecret } from "../../fleet/keys.ts";
import type { OperationRow } from "../../operations/record.ts";
import { bootstrapBegins, bootstrapEnded } from "../../ssh/access-delivered.ts";
import { wantedAccess } from "../../ssh/access-wanted.ts";
import { StepFailure } from "../failures.ts";
import type { SandboxRow } from "../record.ts";
import type { ActionDependencies } from "./dependencies.ts";

/** Gives a container that has booted its own identity, and its agent the way to this controller. */
export async function bootstrap(deps: ActionDependencies, row: SandboxRow, operation: OperationRow): Promise<void> {
  const hostKey = deps.keys.hostKey(row.id);
  const connection = await reach(deps, row);
  const say = (text: string) => deps.journal.log(operation, "bootstrap", "berth", text);
  if (row.bootstrapped_at !== null && deps.isConnected(row.id)) {
    // Its agent has found its way back while this connection was made: it needs nothing.
    connection.close();
    return;
  }
  await say(`signed in to ${row.address}:${row.ssh_port}, whose host key is ${connection.hostKeyFingerprint}`);
  try {
    const secret = randomBytes(32).toString("base64url");
    // Kept before the container has it: its agent may dial before this controller hears that the bootstrap is done. And
    // it may never have it: until the bootstrap is done, or it has come with this one, what it had is as good.
    const former_agent_secret_hashes = formerSecrets(row);
    const agent_secret_hash = hashSecret(secret);
    // Nor is it known which keys of people it has. Whoever changes one from here on finds that out afterwards.
    const access_delivered = bootstrapBegins();
    // The bootstrap writes over some of it, so it is read and kept first.
    const kept = isJustAdopted(row) ? await whatIsKept(row, connection, say) : undefined;
    if (kept) await deps.restoreTerminals(row, kept.terminals);
    // What somebody has set since it was adopted is newer.
    const env = Object.keys(row.env).length === 0 ? kept?.env : undefined;
    await deps.sandboxes.change(row, {
      ...{ agent_secret_hash, former_agent_secret_hashes, access_delivered },
      ...(env ? { env: JSON.stringify(env) } : {}),
    });
    const access = wantedAccess(deps.keys, row, await deps.authorizedKeys(row), deps.clock.now());
    const result = await runBootstrap(connection, {
      hostname: row.name,
      hostKey: { privateKey: hostKey.privateKey, publicKey: hostKey.publicKey },
      hostCertificate: access.certificate,
      authorizedKeys: [...access.authorizedKeys],
      agent: {
        sandboxId: row.id,
        sandboxName: row.name,
        controllerUrl: deps.agentUrl(connection.localAddress),
        controllerCertificate: deps.keys.listener.certificate,
        secret,
        env: deps.environment(row),
      },
    });
    await deps.sandboxes.change(row, {
      bootstrapped_at: new Date(deps.clock.now()),
      // It has the new one. An agent that still has an old one in mind is about to begin anew, and would be gone again
      // in a moment, with the terminals of whoever has just attached.
      former_agent_secret_hashes: [],
      host_key_fingerprint: hostKey.fingerprint,
      machine_id: result.machineId,
      agent_version: result.agentVersion,
      access_delivered: bootstrapEnded(result.hostCertificate === true ? access.hash : null),
    });
    await say(`it has a host key of its own now, ${hostKey.fingerprint}, and the agent ${result.agentVersion}`);
  } catch (error) {
    if (!(error instanceof BootstrapRefused)) throw error;
    throw new StepFailure(
      { code: "bootstrap_failed", message: error.message, hint: "Build the template anew if this stays so." },
      { retry: true, cause: error },
    );
  } finally {
    connection.close();
  }
}

/** After so many attempts in a row an adopted sandbox does without what it knew of itself. */
const keptAttempts = 3;

/** What an adopted sandbox knows of its environment and terminals; undefined where it does not tell. */
async function whatIsKept(
  row: SandboxRow,
  connection: SshConnection,
  say: (text: string) => Promise<void>,
): Promise<Kept | undefined> {
  if (row.attempts >= keptAttempts) {
    await say("it does not tell the environment and the terminals that it had: make them anew");
    return undefined;
  }
  try {
    const kept = await readKept(connection, row.id);
    const names = Object.keys(kept.env ?? {}).join(", ") || "nothing";
    await say(`it has its environment again (${names}), and its terminals (${kept.terminals.size})`);
    return kept;
  } catch (error) {
    const message = `The environment and the terminals that it had could not be read: ${messageOf(error)}.`;
    throw new StepFailure({ code: "ssh_unreachable", message }, { retry: true, cause: error });
  }
}

/**
 * A first connection finds the bootstrap key; one after a bootstrap that was cut finds the sandbox's own. Once the
 * bootstrap is done no other than its own is right.
 */
async function reach(deps: ActionDependencies, row: SandboxRow): Promise<SshConnection> {
  const bootstrapKeys = deps.bootstrapKeys(row.template_id);
  const own = deps.keys.hostKey(row.id).fingerprint;
  // A copy has the host key of what it is a copy of.
  const first = row.source ? deps.keys.hostKey(row.source.sandboxId).fingerprint : bootstrapKeys.host.fingerprint;
  try {
    return await connectSsh({
      host: row.address ?? "",
      port: row.ssh_port ?? 22,
      username: row.ssh_user ?? "root",
      hostKeyFingerprints: row.host_key_fingerprint === null ? [first, own] : [own],
      privateKeys: [bootstrapKeys.client.privateKey, deps.keys.sshClient.privateKey],
    });
  } catch (error) {
    if (error instanceof StepFailure || isProxmoxError(error)) throw error;
    const mismatch = error instanceof HostKeyMismatch;
    throw new StepFailure(
      {
        code: mismatch ? "host_key_mismatch" : "ssh_unreachable",
        message: mismatch ? `${error.message}.` : `SSH to ${row.address}:${row.ssh_port} failed: ${messageOf(error)}.`,
        hint: mismatch
          ? "Something else answers at this address, or the template is not the one that this controller's keys belong to: build the template anew."
          : "Look whether the controller reaches the container's SSH port (bridge, VLAN, firewall), then press Start.",
      },
      { retry: !mismatch, cause: error },
    );
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : "unknown error";
}
