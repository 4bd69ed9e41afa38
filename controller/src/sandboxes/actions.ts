import { randomBytes } from "node:crypto";
import type { BootstrapKeys } from "@berth/base/node";
import type { Environment, StepName } from "@berth/protocol";
import {
  type ContainerConfig,
  type ContainerRef,
  formatPropertyString,
  isProxmoxError,
  type ProxmoxClient,
} from "@berth/proxmox";
import type { Kysely } from "kysely";
import { BootstrapRefused, runBootstrap } from "../bootstrap/bootstrap.ts";
import { connectSsh, HostKeyMismatch, type SshConnection } from "../bootstrap/connect.ts";
import type { TemplateFinder } from "../cluster/template.ts";
import { type FleetKeys, hashSecret } from "../fleet/keys.ts";
import { describeOwner, readOwner } from "../fleet/ownership.ts";
import type { OperationJournal } from "../operations/journal.ts";
import type { Database } from "../store/tables.ts";
import type { Claims } from "./claims.ts";
import { StepFailure, Superseded } from "./failures.ts";
import type { Action } from "./plan.ts";
import type { OperationRow, SandboxRow } from "./record.ts";
import type { Sandboxes } from "./repository.ts";
import type { TaskRunner } from "./tasks.ts";

export interface ActionDependencies {
  db: Kysely<Database>;
  client: ProxmoxClient;
  keys: FleetKeys;
  /** The keys of a fresh clone. */
  bootstrapKeys: BootstrapKeys;
  template: TemplateFinder;
  sandboxes: Sandboxes;
  claims: Claims;
  tasks: TaskRunner;
  journal: OperationJournal;
  pool: string | undefined;
  storage: string | undefined;
  /** The bridge and VLAN of every sandbox; undefined: the template's. */
  bridge: string | undefined;
  vlan: number | undefined;
  /** The controller as a container sees it, given the address by which the controller reached the container. */
  agentUrl(localAddress: string): string;
  /** What every terminal of a sandbox has in its environment: the Claude credential, and what the owner set. */
  environment(row: SandboxRow): Environment;
  /** SSH keys of people who may sign in to a sandbox. */
  authorizedKeys(row: SandboxRow): Promise<string[]>;
  /** The container stopped: whatever link its agent had is dead. */
  dropLink(sandboxId: string): void;
  /** Erases the rows of a sandbox that has left nothing behind. */
  forget(row: SandboxRow): Promise<void>;
}

/** A step: it may be repeated after a kill at any line, and says in `operation`'s log what it did. */
type Perform = (row: SandboxRow, operation: OperationRow) => Promise<void>;

const shutdownSeconds = 30;

/** What each action of a plan does. */
export function makeActions(deps: ActionDependencies): Record<Exclude<Action, "follow-task">, Perform> {
  const { client, tasks, claims, sandboxes, journal } = deps;
  return {
    reserve: async (row, operation) => {
      const template = await readyTemplate(deps.template);
      await claims.take(row, await placeFor(deps, row, template.node), template.vmid);
      await journal.log(operation, "reserve", "berth", `claimed the id ${row.vmid} on the node ${row.node}`);
      await sandboxes.change(row, { ssh_port: template.sshPort, template_vmid: template.vmid });
    },
    abandon: (row) => claims.abandon(row),
    clone: (row, operation) => cloneTemplate(deps, row, operation),
    configure: (row, operation) => configure(deps, row, operation),
    start: async (row, operation) => {
      // Written first: the boot that follows is the one that was asked for, also if nobody lives to see it.
      await sandboxes.change(row, { boot_done: row.boot_wanted, address: null });
      await tasks.run(row, operation, "start", () => client.containers.start(place(row)), ["running"]);
    },
    bootstrap: (row, operation) => bootstrap(deps, row, operation),
    shutdown: async (row, operation) => {
      const begin = () => client.containers.shutdown(place(row), { timeoutSeconds: shutdownSeconds, forceStop: true });
      await tasks.run(row, operation, "stop", begin, ["not_running"]);
      deps.dropLink(row.id);
    },
    kill: async (row, operation) => {
      await tasks.run(row, operation, "stop", () => client.containers.stop(place(row)), ["not_running"]);
      deps.dropLink(row.id);
    },
    delete: async (row, operation) => {
      await destroy(deps, row, place(row), operation);
      await claims.noteAsked(row.id, false);
    },
    "delete-abandoned": (row, operation) => deleteAbandoned(deps, row, operation),
    forget: (row) => deps.forget(row),
  };
}

async function readyTemplate(finder: TemplateFinder) {
  const state = await finder.find();
  if (state.kind === "ready") return state.facts;
  const cause =
    state.kind === "missing"
      ? `There is no template ${finder.vmid} that the token may see.`
      : `The template ${finder.vmid} cannot be used: ${state.reason}.`;
  throw new StepFailure(
    {
      code: "template_unusable",
      message: cause,
      hint: `Make the template ${finder.vmid}, or name another with BERTH_TEMPLATE_VMID, and give the token VM.Clone and VM.Audit on it.`,
    },
    { retry: false },
  );
}

/** The node that was asked for, or the template's: its clones share its disk there. */
async function placeFor(deps: ActionDependencies, row: SandboxRow, templateNode: string): Promise<string> {
  const wanted = row.node_wanted;
  if (wanted === null || wanted === templateNode) return templateNode;
  const nodes = await deps.client.cluster.nodes();
  const node = nodes.find((candidate) => candidate.node === wanted);
  if (node?.online) return wanted;
  const names = nodes.filter(({ online }) => online).map(({ node: name }) => name);
  throw new StepFailure(
    {
      code: node ? "node_offline" : "node_unknown",
      message: node ? `The node ${wanted} is offline.` : `There is no node ${wanted}.`,
      hint: `Make the sandbox anew on one of: ${names.join(", ") || "none is online"}.`,
    },
    { retry: false },
  );
}

/**
 * The clone call takes the id or is refused: it cannot make two containers of one id. So it is safe to repeat after an
 * answer that was lost, and "exists" says to look whose that container is.
 */
async function cloneTemplate(deps: ActionDependencies, row: SandboxRow, operation: OperationRow): Promise<void> {
  const template = await readyTemplate(deps.template);
  const { node, vmid } = place(row);
  const begin = (full: boolean) => () =>
    deps.client.containers.clone(template, {
      newId: vmid,
      hostname: row.name,
      description: describeOwner(deps.keys, row.id, vmid),
      ...(deps.pool === undefined ? {} : { pool: deps.pool }),
      ...(node === template.node ? {} : { target: node }),
      ...(full ? { full: true, ...(deps.storage === undefined ? {} : { storage: deps.storage }) } : {}),
    });
  try {
    await askForClone(deps, row, operation, begin(false));
  } catch (error) {
    if (isProxmoxError(error, "exists")) return await settleExisting(deps, row);
    if (!isLinkedCloneRefused(error)) throw error;
    await askForClone(deps, row, operation, begin(true));
  }
}

/**
 * Proxmox locks the template for the whole of a clone, so that clones of one template take turns. As long as the end of
 * a call that may have been made was not seen, the claim says so.
 */
async function askForClone(
  { claims, tasks, sandboxes }: ActionDependencies,
  row: SandboxRow,
  operation: OperationRow,
  begin: () => Promise<string>,
): Promise<void> {
  const whenItsTurnComes = async () => {
    // It may have waited long, and nobody may want it any more.
    if ((await sandboxes.find(row.id))?.desired === "destroyed") throw new Superseded();
    await claims.noteAsked(row.id, true);
    return begin();
  };
  try {
    await tasks.runAlone(row, operation, "clone", whenItsTurnComes);
  } catch (error) {
    if (isProxmoxError(error) && !error.mayHaveActed) await claims.noteAsked(row.id, false);
    throw error;
  }
  await claims.noteAsked(row.id, false);
}

function isLinkedCloneRefused(error: unknown): boolean {
  return isProxmoxError(error, "other") && /linked clone feature/i.test(error.message);
}

/** The id was taken between the claim and the call: by a call of ours whose answer was lost, or by somebody else. */
async function settleExisting(deps: ActionDependencies, row: SandboxRow): Promise<void> {
  try {
    await deps.client.containers.config(place(row));
  } catch (error) {
    // No container has the id, so a virtual machine does, or a container on another node.
    if (isProxmoxError(error, "missing")) return await deps.claims.abandon(row);
    if (!isProxmoxError(error, "forbidden")) throw error;
    throw new StepFailure(
      {
        code: "clone_unreadable",
        message: `The id ${row.vmid} is taken by a container that may not be read: our clone on its way, or somebody else's.`,
        hint: "Nothing is to be done: Berth waits a minute, and then takes another id.",
      },
      { retry: true, cause: error },
    );
  }
}

async function configure(deps: ActionDependencies, row: SandboxRow, operation: OperationRow): Promise<void> {
  const at = place(row);
  const config = await deps.client.containers.config(at);
  await deps.client.containers.configure(at, {
    digest: config.digest,
    cores: row.cores,
    memoryMiB: row.memory_mib,
    tags: ["berth"],
    net0: networkCard(config, deps),
  });
  const template = await readyTemplate(deps.template);
  const disk = template.diskGiB ?? 0;
  const resized = config.rootfs?.size === `${row.disk_gib}G`;
  if (row.disk_gib > disk && !resized) {
    const begin = () => deps.client.containers.resize(at, { disk: "rootfs", size: `${row.disk_gib}G` });
    await deps.tasks.run(row, operation, "configure", begin, []);
  }
  const size = `${row.cores} cores, ${row.memory_mib} MiB of memory, ${row.disk_gib} GiB of disk`;
  await deps.journal.log(operation, "configure", "berth", `gave it ${size}`);
  await deps.sandboxes.change(row, { configured: true, ...(disk > row.disk_gib ? { disk_gib: Math.ceil(disk) } : {}) });
}

/** The clone's network card on the fleet's bridge and VLAN, where the settings name them; otherwise as the template has it. */
function networkCard(config: ContainerConfig, { bridge, vlan }: ActionDependencies): string | undefined {
  const card = config.nets.get(0);
  if (!card || (bridge === undefined && vlan === undefined)) return undefined;
  return formatPropertyString({
    ...card,
    ...(bridge === undefined ? {} : { bridge }),
    ...(vlan === undefined ? {} : { tag: vlan }),
  });
}

async function bootstrap(deps: ActionDependencies, row: SandboxRow, operation: OperationRow): Promise<void> {
  const hostKey = deps.keys.hostKey(row.id);
  const connection = await reach(deps, row);
  const say = (text: string) => deps.journal.log(operation, "bootstrap", "berth", text);
  await say(`signed in to ${row.address}:${row.ssh_port}, whose host key is ${connection.hostKeyFingerprint}`);
  try {
    const secret = randomBytes(32).toString("base64url");
    // Kept before the container has it: its agent may dial before this controller hears that the bootstrap is done.
    await deps.sandboxes.change(row, { agent_secret_hash: hashSecret(secret) });
    const result = await runBootstrap(connection, {
      hostname: row.name,
      hostKey: { privateKey: hostKey.privateKey, publicKey: hostKey.publicKey },
      authorizedKeys: [deps.keys.sshClient.publicKey, ...(await deps.authorizedKeys(row))],
      agent: {
        sandboxId: row.id,
        sandboxName: row.name,
        controllerUrl: deps.agentUrl(connection.localAddress),
        controllerCertificate: deps.keys.listener.certificate,
        secret,
        env: deps.environment(row),
      },
    });
    if (result.hostKeyFingerprint !== hostKey.fingerprint) {
      throw new BootstrapRefused("The bootstrap answered with another host key than the one it was given");
    }
    await deps.sandboxes.change(row, {
      bootstrapped_at: new Date(),
      host_key_fingerprint: hostKey.fingerprint,
      machine_id: result.machineId,
      agent_version: result.agentVersion,
    });
    await say(`it has a host key of its own now, ${result.hostKeyFingerprint}, and the agent ${result.agentVersion}`);
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

/** A first connection finds the bootstrap key; one after a bootstrap that was cut finds the sandbox's own. */
async function reach(deps: ActionDependencies, row: SandboxRow): Promise<SshConnection> {
  try {
    return await connectSsh({
      host: row.address ?? "",
      port: row.ssh_port ?? 22,
      username: (await readyTemplate(deps.template)).sshUser,
      hostKeyFingerprints: [deps.bootstrapKeys.host.fingerprint, deps.keys.hostKey(row.id).fingerprint],
      privateKeys: [deps.bootstrapKeys.client.privateKey, deps.keys.sshClient.privateKey],
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

async function destroy(
  deps: ActionDependencies,
  row: SandboxRow,
  at: ContainerRef,
  operation: OperationRow,
): Promise<void> {
  await deps.tasks.run(row, operation, "delete", () => deps.client.containers.destroy(at, { purge: true }), [
    "missing",
  ]);
}

/** A container at an id that was given up is removed only if it says, signed, that it is this sandbox's. */
async function deleteAbandoned(deps: ActionDependencies, row: SandboxRow, operation: OperationRow): Promise<void> {
  for (const claim of await deps.claims.abandoned(row.id)) {
    const at = { node: claim.node, vmid: claim.vmid };
    try {
      const config = await deps.client.containers.config(at);
      const owner = readOwner(deps.keys, config.description, claim.vmid);
      if (owner.kind === "ours" && owner.sandboxId === row.id) {
        const status = await deps.client.containers.status(at);
        const name: StepName = "delete";
        if (status.running)
          await deps.tasks.run(row, operation, name, () => deps.client.containers.stop(at), ["not_running"]);
        await destroy(deps, row, at, operation);
      }
    } catch (error) {
      if (!isProxmoxError(error, "missing", "forbidden")) throw error;
    }
    await deps.claims.release(claim.vmid);
  }
}

function place(row: SandboxRow): ContainerRef {
  if (row.vmid === null || row.node === null) throw new Error(`the sandbox ${row.id} has no container`);
  return { node: row.node, vmid: row.vmid };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : "unknown error";
}
