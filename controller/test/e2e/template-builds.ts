import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { buildTemplate, getOperation, type Operation, parseJson } from "@berth/protocol";
import { normaliseFingerprint, ProxmoxClient } from "@berth/proxmox";
import { emulatorFactsSchema } from "@berth/pve-emulator";
import { eventually } from "@berth/testkit";
import { Value } from "typebox/value";
import type { Berth } from "./berth.ts";

/** How long a build may take, in milliseconds: it sends half a gigabyte and boots twice; other tests run beside it. */
export const buildMs = 240_000;

/** The containers that the bundled Proxmox has, templates among them. */
export async function containers(berth: Berth): Promise<number[]> {
  const names = await readdir(join(berth.dataDir, "proxmox", "containers"));
  return names
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .sort((a, b) => a - b);
}

export async function startBuild(berth: Berth): Promise<Operation> {
  return (await berth.client.call(buildTemplate, { body: {} })).operation;
}

export function operationOf(berth: Berth, id: string): Promise<Operation> {
  return berth.client.call(getOperation, { params: { id } });
}

export function buildEnded(berth: Berth, { id }: Operation): Promise<Operation> {
  return eventually(
    async () => {
      const seen = await operationOf(berth, id);
      return seen.finishedAt ? seen : undefined;
    },
    { timeoutMs: buildMs, intervalMs: 100, what: "the end of the build" },
  );
}

/** Waits until a step of the operation runs, or is past. */
export function reaches(berth: Berth, { id }: Operation, step: string): Promise<unknown> {
  return eventually(
    async () => {
      const seen = await operationOf(berth, id);
      if (seen.state === "failed") throw new Error(`the build failed: ${JSON.stringify(seen.error)}`);
      return seen.steps.some(({ name, state }) => name === step && state !== "pending");
    },
    { timeoutMs: buildMs, intervalMs: 20, what: `the step ${step}` },
  );
}

/** The bundled Proxmox, with the controller's own token. */
export async function proxmoxOf(berth: Berth): Promise<ProxmoxClient> {
  const text = await readFile(join(berth.dataDir, "proxmox", "emulator.json"), "utf8");
  const { url, token, fingerprint } = Value.Parse(emulatorFactsSchema, parseJson(text));
  const [id = "", secret = ""] = token.split("=");
  return new ProxmoxClient({
    urls: [url],
    credentials: { kind: "token", id, secret },
    trust: { kind: "fingerprint", fingerprints: [normaliseFingerprint(fingerprint)] },
  });
}
