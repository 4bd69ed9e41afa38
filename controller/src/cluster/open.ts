import type { Clock, Scope } from "@berth/base";
import { isProxmoxError, type ProxmoxClient } from "@berth/proxmox";
import { type EmbeddedProxmox, embeddedProxmox, stopEmbeddedProxmox } from "../embedded/emulator.ts";
import type { Progress } from "../progress.ts";
import type { ProxmoxAccess, Settings } from "../settings/settings.ts";
import { StartError } from "../settings/start-error.ts";
import { connectProxmox } from "./connection.ts";

/** The Proxmox that is used, bundled or somebody's. */
export interface Cluster {
  readonly client: ProxmoxClient;
  /** How the client reaches it. */
  readonly access: ProxmoxAccess;
  /** The bootstrap keys of the bundled template are made from it. */
  readonly tokenSecret: string;
  readonly pool: string | undefined;
  readonly storage: string | undefined;
  /** The address on which agents can reach this machine; undefined: any of its addresses may be it. */
  readonly agentHost: string | undefined;
  /** Called when the agents' listener listens on this port: the bundled Proxmox then lets containers reach it. */
  allowAgents(port: number): Promise<void>;
  /** A URL of the settings as containers reach it. */
  fromContainers(url: string): string;
  /** Resolves when the bundled Proxmox was killed, say: its containers run on, and another start takes them over. */
  readonly lost: Promise<Error>;
}

export interface OpenClusterDependencies {
  /** Closes the connections. */
  scope: Scope;
  /** Stops the bundled Proxmox with its containers. */
  servers: Scope;
  progress: Progress;
}

/** Connects to the Proxmox that the settings name, or starts the bundled one. Throws a `StartError`. */
export async function openCluster(
  settings: Settings,
  clock: Clock,
  { scope, servers, progress }: OpenClusterDependencies,
): Promise<Cluster> {
  const { proxmox, pool, storage } = settings;
  if (proxmox) {
    if (await stopEmbeddedProxmox(settings.dataDir)) {
      progress.step("the bundled Proxmox that an earlier run has left is stopped: another one is used");
    }
    const client = scope.own(explain(() => connectProxmox(proxmox, clock, (line) => progress.step(line))));
    return {
      client,
      access: proxmox,
      tokenSecret: proxmox.tokenSecret,
      pool,
      storage,
      agentHost: undefined,
      allowAgents: async () => {},
      fromContainers: (url) => url,
      lost: new Promise(() => {}),
    };
  }
  const emulator = await embeddedProxmox({
    dataDir: settings.dataDir,
    backend: settings.backend,
    isolated: settings.isolated,
    services: settings.anthropicBaseUrl === undefined ? [] : [settings.anthropicBaseUrl],
    onProgress: (line) => progress.step(`the bundled Proxmox: ${line}`),
  });
  servers.add(() => emulator.stop());
  progress.step(`the bundled Proxmox runs; ${whatContainersAre[emulator.backend]}`);
  return {
    client: scope.own(connectProxmox(emulator.access, clock, (line) => progress.step(line))),
    access: emulator.access,
    tokenSecret: emulator.access.tokenSecret,
    pool: emulator.pool,
    storage: emulator.storage,
    agentHost: emulator.hostAddress,
    allowAgents: (port) => emulator.allowAgents(port),
    fromContainers: (url) => emulator.fromContainers(url),
    lost: lossOf(emulator, scope),
  };
}

function lossOf(emulator: EmbeddedProxmox, scope: Scope): Promise<Error> {
  const over = new AbortController();
  scope.add(() => over.abort());
  const lost = async () => {
    await emulator.ended(over.signal);
    return new Error("the bundled Proxmox has ended");
  };
  // Once nobody looks any more it is not lost.
  return lost().catch(() => new Promise<Error>(() => {}));
}

const whatContainersAre = {
  lxc: "its containers are unprivileged ones of LXC",
  process: "its containers are processes of this machine, with no walls between them",
} as const;

function explain<T>(connect: () => T): T {
  try {
    return connect();
  } catch (error) {
    if (isProxmoxError(error)) throw new StartError(`${error.message} ${error.hint}`, { cause: error });
    throw error;
  }
}
