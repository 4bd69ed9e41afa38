import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type BackendChoice, type BackendKind, ensureEmulator } from "@berth/pve-emulator";
import type { ProxmoxAccess } from "../settings/settings.ts";

/** The bundled Proxmox, running, and how to use it. */
export interface EmbeddedProxmox {
  readonly access: ProxmoxAccess;
  readonly pool: string;
  readonly storage: string;
  /** This machine's address as its containers see it: where the agents' listener listens. */
  readonly hostAddress: string;
  /** What its containers are. */
  readonly backend: BackendKind;
  /** Lets its containers reach this TCP port of `hostAddress`, and nothing else of this machine. */
  allowAgents(port: number): Promise<void>;
  /** Stops it with its containers. */
  stop(): Promise<void>;
}

export interface EmbeddedProxmoxOptions {
  readonly dataDir: string;
  readonly backend: BackendChoice;
  readonly isolated: boolean;
  onProgress(line: string): void;
}

/** Takes over the emulator that an earlier controller left running on this data directory, or starts one. */
export async function embeddedProxmox(options: EmbeddedProxmoxOptions): Promise<EmbeddedProxmox> {
  const emulator = await ensureEmulator({
    dataDir: join(options.dataDir, "proxmox"),
    backend: options.backend,
    isolated: options.isolated,
    onProgress: options.onProgress,
    program: emulatorProgram(),
  });
  const [tokenId = "", tokenSecret = ""] = emulator.token.split("=");
  return {
    access: { urls: [emulator.url], tokenId, tokenSecret, fingerprints: [emulator.fingerprint] },
    pool: emulator.pool,
    storage: emulator.storage,
    hostAddress: emulator.hostAddress,
    backend: emulator.backend,
    allowAgents: (port) => emulator.allowMachinePorts([port]),
    stop: () => emulator.stop(),
  };
}

/** The emulator's program: the bundle where this is one, the source otherwise. */
function emulatorProgram(): string {
  const bundled = !import.meta.url.endsWith(".ts");
  const path = bundled ? "../../packages/pve-emulator/dist/main.mjs" : "../../../packages/pve-emulator/src/main.ts";
  return fileURLToPath(new URL(path, import.meta.url));
}
