import { randomBytes } from "node:crypto";
import { newId } from "@berth/protocol";
import type { ListedContainer } from "@berth/testkit";
import { type FleetKeys, hashSecret as hashAgentSecret } from "../src/fleet/keys.ts";
import { hashSecret, newBearer } from "../src/identity/secrets.ts";
import { type WantedAccess, wantedAccess } from "../src/ssh/access-wanted.ts";
import { fleetOwnerId, type LargeFleet } from "./large-fleet.fixture.ts";

/** What it takes to play the agent of a sandbox. */
export interface AgentIdentity {
  readonly sandboxId: string;
  readonly secret: string;
  readonly machineId: string;
  /** Terminals that the database says run there. */
  readonly terminalIds: string[];
}

/** Writes down what a bootstrap of each sandbox would have, and so many running terminals for each. */
export async function giveAgents(
  { store, keys, containers, sandboxIds }: LargeFleet,
  { terminalsEach, agentVersion }: { terminalsEach: number; agentVersion: string },
): Promise<AgentIdentity[]> {
  const identities = sandboxIds.map((sandboxId, index) => ({
    sandboxId,
    access: accessOf(keys, sandboxId, containers[index]),
    secret: randomBytes(32).toString("base64url"),
    machineId: randomBytes(16).toString("hex"),
    terminalIds: Array.from({ length: terminalsEach }, () => newId("terminal")),
  }));
  await store.db.transaction().execute(async (trx) => {
    for (const { sandboxId, access, secret, machineId, terminalIds } of identities) {
      await trx
        .updateTable("sandboxes")
        .set({ agent_secret_hash: hashAgentSecret(secret), machine_id: machineId, agent_version: agentVersion })
        .set({ access_delivered: access.hash })
        .where("id", "=", sandboxId)
        .execute();
      const about = {
        owner_id: fleetOwnerId,
        sandbox_id: sandboxId,
        kind: "shell" as const,
        state: "running" as const,
      };
      const rows = terminalIds.map((id) => ({ id, ...about, cols: 80, rows: 24 }));
      if (rows.length > 0) await trx.insertInto("terminals").values(rows).execute();
    }
  });
  return identities;
}

/** What its SSH server knows. Its owner has no keys. */
function accessOf(keys: FleetKeys, id: string, container: ListedContainer | undefined): WantedAccess {
  const { name = "", address = null } = container ?? {};
  return wantedAccess(keys, { id, name, address }, [], Date.now());
}

/** A bearer token of the fleet's owner. */
export async function fleetToken({ store }: LargeFleet): Promise<string> {
  const token = newBearer();
  await store.db
    .insertInto("tokens")
    .values({ id: newId("token"), user_id: fleetOwnerId, kind: "api", name: "bench", hash: hashSecret(token) })
    .execute();
  return token;
}
