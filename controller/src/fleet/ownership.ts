import type { FleetKeys } from "./keys.ts";

/** What a container's description says of its owner. */
export type Ownership =
  | { kind: "ours"; sandboxId: string; hostKeyFingerprint: string }
  /** Nothing of Berth's is in it. */
  | { kind: "unmarked" }
  /** Another fleet's, a copy of one of ours, or changed by hand. */
  | { kind: "foreign"; reason: string };

const marker =
  /^berth:1:([0-9a-f]{16}):(sbx_[0-9a-z]{20}):([0-9]{1,9}):(SHA256:[A-Za-z0-9+/]{43}):([A-Za-z0-9_-]{86})$/m;

/** The description of a sandbox's container: a sentence for people, and a signed line for Berth. */
export function describeOwner(keys: FleetKeys, sandboxId: string, vmid: number): string {
  const statement = `berth:1:${keys.fleetId}:${sandboxId}:${vmid}:${keys.hostKey(sandboxId).fingerprint}`;
  return `A sandbox of Berth's, which makes and destroys it. The line below says so: leave it as it is.\n\n${statement}:${keys.sign(statement)}`;
}

/** Whose a container is, by its description and its own vmid. A copy of ours has our signature and another vmid. */
export function readOwner(keys: FleetKeys, description: string | undefined, vmid: number): Ownership {
  const match = marker.exec(description ?? "");
  if (!match) return { kind: "unmarked" };
  const [line, fleetId, sandboxId, markedVmid, hostKeyFingerprint, signature] = match;
  if (fleetId !== keys.fleetId) return { kind: "foreign", reason: "it belongs to another fleet" };
  if (!sandboxId || !hostKeyFingerprint || !signature) return { kind: "unmarked" };
  const statement = line.slice(0, -(signature.length + 1));
  if (!keys.verify(statement, signature)) return { kind: "foreign", reason: "its mark was not made by this fleet" };
  if (Number(markedVmid) !== vmid) return { kind: "foreign", reason: `it is a copy of the container ${markedVmid}` };
  return { kind: "ours", sandboxId, hostKeyFingerprint };
}
