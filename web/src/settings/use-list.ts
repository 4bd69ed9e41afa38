import type { Failure } from "@berth/protocol";
import { useCallback, useEffect, useRef, useState } from "react";
import { describeError } from "../api/describe-error.ts";

/** A list that is read once and again after each change. */
export interface List<T> {
  /** Undefined until it was read. */
  readonly items: readonly T[] | undefined;
  readonly failure: Failure | null;
  reload(): Promise<void>;
}

export function useList<T>(read: () => Promise<T[]>): List<T> {
  const [items, setItems] = useState<readonly T[] | undefined>(undefined);
  const [failure, setFailure] = useState<Failure | null>(null);
  const first = useRef(read);
  const reload = useCallback(async () => {
    try {
      setItems(await first.current());
      setFailure(null);
    } catch (error) {
      setFailure(describeError(error));
    }
  }, []);
  useEffect(() => {
    void reload();
  }, [reload]);
  return { items, failure, reload };
}
