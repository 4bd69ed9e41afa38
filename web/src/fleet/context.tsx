import type { Sandbox, Terminal } from "@berth/protocol";
import { createContext, useContext, useMemo } from "react";
import { useStore } from "../api/store.ts";
import type { Fleet, FleetState } from "./fleet.ts";

const FleetContext = createContext<Fleet | undefined>(undefined);
/** Gives the components below it the fleet. */
export const FleetProvider = FleetContext.Provider;

/** The fleet, to act on. */
export function useFleet(): Fleet {
  const fleet = useContext(FleetContext);
  if (!fleet) throw new Error("no FleetProvider above");
  return fleet;
}

/** What is known of the fleet, kept up to date. */
export function useFleetState(): FleetState {
  return useStore(useFleet().state);
}

/** The sandboxes, the newest first. */
export function useSandboxes(): readonly Sandbox[] {
  const { sandboxes } = useFleetState();
  return useMemo(
    () => [...sandboxes.values()].sort((a, b) => b.createdAt.localeCompare(a.createdAt) || a.id.localeCompare(b.id)),
    [sandboxes],
  );
}

/** The known terminals of a sandbox, the oldest first. */
export function useTerminals(sandboxId: string): readonly Terminal[] {
  const { terminals } = useFleetState();
  return useMemo(
    () =>
      [...terminals.values()]
        .filter((terminal) => terminal.sandboxId === sandboxId)
        .sort((a, b) => a.createdAt.localeCompare(b.createdAt) || a.id.localeCompare(b.id)),
    [terminals, sandboxId],
  );
}
