import { listOrphans, type Orphan } from "@berth/protocol";
import { useEffect } from "react";
import { useApi } from "../api/context.tsx";
import { type Reading, useReading } from "../api/use-reading.ts";
import { useFleetState } from "../fleet/context.tsx";

/** Milliseconds between two looks, beside those that events call for. */
const everyMs = 5 * 60_000;

/** Containers of the fleet's without a sandbox. `told`: those of which events have told, without asking Proxmox. */
export function useOrphans(told: boolean): Reading<readonly Orphan[]> {
  const api = useApi();
  const { orphanNews, stream } = useFleetState();
  const reading = useReading(async () => (await api.call(listOrphans, { query: told ? { told } : {} })).items, everyMs);
  const { reload } = reading;
  // biome-ignore lint/correctness/useExhaustiveDependencies: news, and a gap in them, change what the answer is
  useEffect(() => {
    if (stream === "live") void reload();
  }, [orphanNews, stream, reload]);
  return reading;
}
