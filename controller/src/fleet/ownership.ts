import { parseJson, sleepMinutesSchema } from "@berth/protocol";
import Type, { type Static } from "typebox";
import { Value } from "typebox/value";
import type { FleetKeys } from "./keys.ts";

const toldSchema = Type.Object({
  /** The sandbox's name. */
  name: Type.String({ maxLength: 63 }),
  /** The name of the user whose it is. */
  owner: Type.String({ maxLength: 256 }),
  /** When it goes to sleep, in minutes without use; undefined: as the fleet does. */
  sleepAfter: Type.Optional(Type.Union([sleepMinutesSchema, Type.Literal("off")])),
});

/** What a description tells of its sandbox beside its id, for a controller that has lost its database. */
export type Told = Static<typeof toldSchema>;

/** What a container's description says of its owner. */
export type Ownership =
  | {
      kind: "ours";
      sandboxId: string;
      hostKeyFingerprint: string;
      /** As of when it was written; undefined in one of the first version. */
      told: Told | undefined;
    }
  /** Nothing of Berth's is in it. */
  | { kind: "unmarked" }
  /** Another fleet's, a copy of one of ours, or changed by hand. */
  | { kind: "foreign"; reason: string };

const marker =
  /^(berth:([12]):([0-9a-f]{16}):(sbx_[0-9a-z]{20}):([0-9]{1,9}):(SHA256:[A-Za-z0-9+/]{43})(?::([A-Za-z0-9_-]{1,1024}))?):([A-Za-z0-9_-]{86})$/m;

/** The description of a sandbox's container: a sentence for people, and a signed line for Berth. */
export function describeOwner(keys: FleetKeys, sandboxId: string, vmid: number, told: Told): string {
  const { name, owner, sleepAfter } = told;
  const more = Buffer.from(JSON.stringify({ name, owner, sleepAfter })).toString("base64url");
  const statement = `berth:2:${keys.fleetId}:${sandboxId}:${vmid}:${keys.hostKey(sandboxId).fingerprint}:${more}`;
  return `A sandbox of Berth's, which makes and destroys it. The line below says so: leave it as it is.\n\n${statement}:${keys.sign(statement)}`;
}

/** Whose a container is, by its description and its own vmid. A copy of ours has our signature and another vmid. */
export function readOwner(keys: FleetKeys, description: string | undefined, vmid: number): Ownership {
  const match = marker.exec(description ?? "");
  const [, statement, version, fleetId, sandboxId, markedVmid, hostKeyFingerprint, more, signature] = match ?? [];
  if (!statement || !sandboxId || !hostKeyFingerprint || !signature) return { kind: "unmarked" };
  if (fleetId !== keys.fleetId) return { kind: "foreign", reason: "it belongs to another fleet" };
  if (!keys.verify(statement, signature)) return { kind: "foreign", reason: "its mark was not made by this fleet" };
  if (Number(markedVmid) !== vmid) return { kind: "foreign", reason: `it is a copy of the container ${markedVmid}` };
  const told = version === "2" && more ? parseJson(Buffer.from(more, "base64url").toString("utf8")) : undefined;
  return { kind: "ours", sandboxId, hostKeyFingerprint, told: Value.Check(toldSchema, told) ? told : undefined };
}
