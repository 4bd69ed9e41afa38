import type { Failure } from "@berth/protocol";
import { useCallback, useEffect, useRef, useState } from "react";
import { describeError } from "./describe-error.ts";

/** Something that is read again and again while it is shown. */
export interface Reading<T> {
  /** As it was read last; undefined until it was. */
  readonly value: T | undefined;
  /** Why the last reading failed; null: it did not. */
  readonly failure: Failure | null;
  /** Reads it now. Never rejects. */
  reload(): Promise<void>;
}

/** Reads at once and then after each interval, in milliseconds, unless nobody sees the page. `read` may change. */
export function useReading<T>(read: () => Promise<T>, everyMs: number): Reading<T> {
  const [state, setState] = useState<Omit<Reading<T>, "reload">>({ value: undefined, failure: null });
  const latest = useRef(read);
  const turn = useRef(0);
  useEffect(() => {
    latest.current = read;
  });
  const reload = useCallback(async () => {
    turn.current += 1;
    const mine = turn.current;
    try {
      const value = await latest.current();
      // An answer that was overtaken is older than what is shown.
      if (mine === turn.current) setState({ value, failure: null });
    } catch (error) {
      if (mine === turn.current) setState((before) => ({ ...before, failure: describeError(error) }));
    }
  }, []);
  useEffect(() => {
    void reload();
    const look = () => {
      if (document.visibilityState === "visible") void reload();
    };
    const timer = setInterval(look, everyMs);
    document.addEventListener("visibilitychange", look);
    return () => {
      // What is on its way has nobody to show it.
      turn.current += 1;
      clearInterval(timer);
      document.removeEventListener("visibilitychange", look);
    };
  }, [reload, everyMs]);
  return { ...state, reload };
}
