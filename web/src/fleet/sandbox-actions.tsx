import {
  deleteSandbox,
  type Operation,
  randomKey,
  restartSandbox,
  type Sandbox,
  sleepSandbox,
  startSandbox,
  stopSandbox,
  wakeSandbox,
} from "@berth/protocol";
import { useState } from "react";
import { useApi } from "../api/context.tsx";
import { type Call, useCall } from "../api/use-call.ts";
import { navigate } from "../app/navigation.ts";
import { sandboxSettingsPath, snapshotsPath } from "../app/route.ts";
import { rememberOperation } from "../operation/last-operation.ts";
import { ForkDialog } from "../snapshots/fork-dialog.tsx";
import { Icon } from "../ui/icon.tsx";
import { Menu, type MenuItem } from "../ui/menu.tsx";
import { useFleet } from "./context.tsx";
import { DeleteDialog } from "./delete-dialog.tsx";

const powerRoutes = {
  start: startSandbox,
  stop: stopSandbox,
  restart: restartSandbox,
  sleep: sleepSandbox,
  wake: wakeSandbox,
};
export type PowerVerb = keyof typeof powerRoutes;

/** Starts, stops or restarts a sandbox, puts it to sleep or wakes it. */
export function usePower(sandbox: Sandbox): Call<[PowerVerb]> {
  const api = useApi();
  const follow = useFollow();
  return useCall(async (verb: PowerVerb) => {
    const input = { params: { id: sandbox.id } };
    const { operation } = await api.call(powerRoutes[verb], input, { idempotencyKey: `${verb}-${randomKey()}` });
    follow(operation);
  });
}

/** Shows an operation that was begun here, also before its events arrive. */
export function useFollow(): (operation: Operation) => void {
  const fleet = useFleet();
  return (operation) => {
    if (operation.sandboxId !== null) rememberOperation(operation.sandboxId, operation.id);
    if (fleet.hasEnded(operation.id)) return;
    fleet.put("operations", operation);
    if (operation.sandboxId === null) return;
    const sandbox = fleet.state.get().sandboxes.get(operation.sandboxId);
    if (sandbox) fleet.put("sandboxes", { ...sandbox, operationId: operation.id });
  };
}

/** What can be done with a sandbox in its present state. */
export function possibleVerbs(sandbox: Sandbox): readonly PowerVerb[] {
  switch (sandbox.state) {
    case "ready":
      return ["sleep", "restart", "stop"];
    case "stopped":
      return ["start"];
    case "asleep":
      return ["wake", "stop"];
    case "failed":
      // What a copy is made of may be there by now; what was never begun is made anew.
      if (sandbox.vmid === null) return sandbox.forkedFrom === null ? [] : ["start"];
      return ["start", "stop"];
    case "provisioning":
    case "starting":
    case "stopping":
    case "destroying":
      return [];
  }
}

const verbWords: Record<PowerVerb, string> = {
  start: "Start",
  stop: "Stop",
  restart: "Restart",
  sleep: "Sleep",
  wake: "Wake",
};

/** The menu of a sandbox: start, stop, restart, sleep, wake, fork, its snapshots and settings, delete. */
export function SandboxMenu({ sandbox, power }: { sandbox: Sandbox; power: Call<[PowerVerb]> }) {
  const api = useApi();
  const follow = useFollow();
  const [asking, setAsking] = useState<"fork" | "delete" | undefined>(undefined);
  const items: MenuItem[] = possibleVerbs(sandbox).map((verb) => ({
    label: verbWords[verb],
    onSelect: () => void power.run(verb),
  }));
  if (sandbox.vmid !== null && sandbox.state !== "provisioning" && sandbox.state !== "destroying") {
    items.push(
      { label: "Fork…", onSelect: () => setAsking("fork") },
      { label: "Snapshots", onSelect: () => navigate(snapshotsPath(sandbox.name)) },
      { label: "Settings", onSelect: () => navigate(sandboxSettingsPath(sandbox.name)) },
    );
  }
  if (sandbox.state !== "destroying") {
    items.push({ label: "Delete…", danger: true, onSelect: () => setAsking("delete") });
  }
  if (items.length === 0) return null;
  return (
    <>
      <Menu label={`Actions for ${sandbox.name}`} button={<Icon name="more" />} items={items} />
      {asking === "fork" && <ForkDialog sandbox={sandbox} onClose={() => setAsking(undefined)} />}
      {asking === "delete" && (
        <DeleteDialog
          sandbox={sandbox}
          onClose={() => setAsking(undefined)}
          onDelete={async (discard) => {
            const input = { params: { id: sandbox.id }, query: { discard } };
            const { operation } = await api.call(deleteSandbox, input);
            follow(operation);
          }}
        />
      )}
    </>
  );
}
