import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type BackendChoice, type BackendKind, ensureEmulator, stopLeftEmulator } from "@berth/pve-emulator";
import type { ProxmoxAccess } from "../settings/settings.ts";
import { type UrlFromContainers, urlFromContainers } from "./machine-services.ts";

/** The bundled Proxmox, running, and how to use it. */
export interface EmbeddedProxmox {
  readonly access: ProxmoxAccess;
  readonly pool: string;
  readonly storage: string;
  /** This machine's address as its containers see it: where the agents' listener listens. */
  readonly hostAddress: string;
  /** What its containers are. */
  readonly backend: BackendKind;
  /**
   * Lets its containers reach this TCP port of `hostAddress` and the services that the options name, and nothing else
   * of this machine.
   */
  allowAgents(port: number): Promise<void>;
  /** A URL of the settings as its containers reach it. */
  fromContainers(url: string): string;
  /** Resolves when it has ended though nobody stopped it. Rejects with the signal's reason. */
  ended(signal: AbortSignal): Promise<void>;
  /** Stops it with its containers. */
  stop(): Promise<void>;
}

export interface EmbeddedProxmoxOptions {
  readonly dataDir: string;
  readonly backend: BackendChoice;
  readonly isolated: boolean;
  /** URLs of what containers need; those of this machine are made reachable. */
  readonly services: readonly string[];
  onProgress(line: string): void;
}

/** Takes over the emulator that an earlier controller left running on this data directory, or starts one. */
export async function embeddedProxmox(options: EmbeddedProxmoxOptions): Promise<EmbeddedProxmox> {
  const emulator = await ensureEmulator({
    dataDir: folderIn(options.dataDir),
    backend: options.backend,
    isolated: options.isolated,
    onProgress: options.onProgress,
    program: emulatorProgram(),
  });
  const seenFromContainers = (url: string): UrlFromContainers =>
    // Processes are on this machine already.
    emulator.backend === "process" ? { url, service: undefined } : urlFromContainers(url, emulator.hostAddress);
  const [tokenId = "", tokenSecret = ""] = emulator.token.split("=");
  return {
    access: { urls: [emulator.url], tokenId, tokenSecret, fingerprints: [emulator.fingerprint] },
    pool: emulator.pool,
    storage: emulator.storage,
    hostAddress: emulator.hostAddress,
    backend: emulator.backend,
    allowAgents: (port) => {
      const services = options.services.flatMap((url) => seenFromContainers(url).service ?? []);
      return emulator.allowMachinePorts([port], services);
    },
    fromContainers: (url) => seenFromContainers(url).url,
    ended: (signal) => emulator.ended(signal),
    stop: () => emulator.stop(),
  };
}

/**
 * Stops the one that a controller left running which was killed, where another Proxmox is used by now. Answers whether
 * there was one.
 */
export function stopEmbeddedProxmox(dataDir: string): Promise<boolean> {
  return stopLeftEmulator(folderIn(dataDir));
}

function folderIn(dataDir: string): string {
  return join(dataDir, "proxmox");
}

/** The emulator's program: the bundle where this is one, the source otherwise. */
function emulatorProgram(): string {
  const bundled = !import.meta.url.endsWith(".ts");
  const path = bundled ? "../../packages/pve-emulator/dist/main.mjs" : "../../../packages/pve-emulator/src/main.ts";
  return fileURLToPath(new URL(path, import.meta.url));
}
