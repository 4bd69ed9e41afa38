import { useCallback, useEffect, useRef, useState } from "react";
import { describeError, type ShownFailure } from "./describe-error.ts";

/** A call that a person sets off: whether it is under way, and why the last one failed. */
export interface Call<Args extends unknown[]> {
  readonly pending: boolean;
  readonly failure: ShownFailure | null;
  /** Runs it, unless it is under way; resolves to whether it succeeded. */
  run(...args: Args): Promise<boolean>;
  clear(): void;
}

/** Wraps an asynchronous action for buttons and forms. */
export function useCall<Args extends unknown[]>(action: (...args: Args) => Promise<void>): Call<Args> {
  const [state, setState] = useState<{ pending: boolean; failure: ShownFailure | null }>({
    pending: false,
    failure: null,
  });
  const running = useRef(false);
  const latest = useRef(action);
  useEffect(() => {
    latest.current = action;
  });
  const run = useCallback(async (...args: Args) => {
    if (running.current) return false;
    running.current = true;
    setState({ pending: true, failure: null });
    try {
      await latest.current(...args);
      setState({ pending: false, failure: null });
      return true;
    } catch (error) {
      setState({ pending: false, failure: describeError(error) });
      return false;
    } finally {
      running.current = false;
    }
  }, []);
  const clear = useCallback(() => setState((state) => ({ ...state, failure: null })), []);
  return { ...state, run, clear };
}
