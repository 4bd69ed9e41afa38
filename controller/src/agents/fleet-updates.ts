import type { Clock } from "@berth/base";
import type { AgentUpdate } from "@berth/protocol";
import type { FastifyBaseLogger } from "fastify";
import type { EventLog } from "../events/log.ts";
import type { SandboxModule } from "../sandboxes/module.ts";
import type { TemplateModule } from "../templates/module.ts";
import type { AgentRegistry } from "./registry.ts";
import { AgentUpdates } from "./updates.ts";

export interface FleetUpdatesDependencies {
  readonly registry: AgentRegistry;
  readonly templates: TemplateModule;
  readonly fleet: SandboxModule;
  readonly events: EventLog;
  readonly clock: Clock;
  readonly log: FastifyBaseLogger;
}

/** Brings agents to this controller's version; of the warm pool none is given out meanwhile. */
export function fleetUpdates({
  registry,
  templates,
  fleet,
  events,
  clock,
  log,
}: FleetUpdatesDependencies): AgentUpdates {
  const updates = new AgentUpdates({
    link: (sandboxId) => registry.get(sandboxId),
    programs: () => templates.contents.programs(),
    mayUpdate: async (sandboxId) => {
      const row = await fleet.sandboxes.find(sandboxId);
      if (!row || row.desired === "destroyed") return undefined;
      const { state, operationId } = await fleet.sandboxes.present(row);
      return state === "ready" && operationId === null;
    },
    tell: async (sandboxId, state, version) => {
      const row = await fleet.sandboxes.find(sandboxId);
      if (!row) return;
      const data: AgentUpdate = { sandboxId, state, version };
      await events.transaction((trx) =>
        events.append(trx, { ownerId: row.owner_id, sandboxId, type: "agent_update", data }),
      );
    },
    clock,
    log,
  });
  fleet.members.isUpdating = (sandboxId) => updates.isDue(sandboxId);
  return updates;
}
