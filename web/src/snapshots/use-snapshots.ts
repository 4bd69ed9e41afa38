import { type Failure, listSnapshots, type Sandbox, type Snapshot } from "@berth/protocol";
import { useCallback, useEffect, useState } from "react";
import { useApi } from "../api/context.tsx";
import { describeError } from "../api/describe-error.ts";

/** A sandbox's snapshots as they are now. */
export interface Snapshots {
  /** The newest first; undefined until they were read. */
  readonly items: readonly Snapshot[] | undefined;
  readonly failure: Failure | null;
  reload(): void;
}

/** Reads a sandbox's snapshots, and again whenever work on it begins or ends: Proxmox alone knows which there are. */
export function useSnapshots({ id, operationId }: Sandbox): Snapshots {
  const api = useApi();
  const [items, setItems] = useState<readonly Snapshot[] | undefined>(undefined);
  const [failure, setFailure] = useState<Failure | null>(null);
  const [asked, setAsked] = useState(0);
  // biome-ignore lint/correctness/useExhaustiveDependencies: what may have changed them
  useEffect(() => {
    const abort = new AbortController();
    const read = async () => {
      try {
        const found = await api.call(listSnapshots, { params: { id } }, { signal: abort.signal });
        if (abort.signal.aborted) return;
        setItems([...found.items].reverse());
        setFailure(null);
      } catch (error) {
        if (!abort.signal.aborted) setFailure(describeError(error));
      }
    };
    void read();
    return () => abort.abort();
  }, [api, id, operationId, asked]);
  return { items, failure, reload: useCallback(() => setAsked((times) => times + 1), []) };
}
