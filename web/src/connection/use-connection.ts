import { BerthError, type Client, type Connection, getConnection } from "@berth/protocol";
import { useCallback, useEffect, useState } from "react";
import { useApi } from "../api/context.tsx";
import { describeError, ToldFailure } from "../api/describe-error.ts";
import { type KnownConnection, nothingKnown } from "./known-connection.ts";

/** Which Proxmox is used, as the controller says. */
export function useConnection(): KnownConnection & { reload(): Promise<void> } {
  const api = useApi();
  const [known, setKnown] = useState<KnownConnection>(nothingKnown);
  const reload = useCallback(async () => {
    try {
      setKnown({ connection: await api.call(getConnection, {}), failure: null });
    } catch (error) {
      setKnown((before) => ({ ...before, failure: describeError(error) }));
    }
  }, [api]);
  useEffect(() => void reload(), [reload]);
  return { ...known, reload };
}

/** Milliseconds between two questions to a controller that starts again, and until it is given up. */
const times = { askAgainMs: 500, giveUpMs: 90_000 } as const;

/** Waits until the controller is back with another connection than the one before. Rejects with why it was given up. */
export async function untilMoved(
  api: Pick<Client, "call">,
  before: Connection | undefined,
  { askAgainMs, giveUpMs }: { askAgainMs: number; giveUpMs: number } = times,
): Promise<Connection> {
  const until = Date.now() + giveUpMs;
  for (;;) {
    try {
      const now = await api.call(getConnection, {});
      if (now.source !== before?.source || now.savedAt !== before.savedAt) return now;
    } catch (error) {
      // It is away or not ready yet, or a proxy before it says so in words of its own.
      if (error instanceof BerthError && (error.code === "unauthenticated" || error.code === "forbidden")) throw error;
    }
    if (Date.now() > until) {
      throw new ToldFailure({
        code: "not_ready",
        message: "The controller has not come back with the new connection yet.",
        hint: "Its output says what is in the way. The connection is saved.",
      });
    }
    await new Promise((resolve) => setTimeout(resolve, askAgainMs));
  }
}
