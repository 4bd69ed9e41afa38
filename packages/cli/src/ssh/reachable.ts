import { getSandbox, type Sandbox } from "@berth/protocol";
import { conflict } from "../failure.ts";
import type { Session } from "../session.ts";

/** States in which a sandbox will not take a connection, unless somebody does something about it. */
const off: ReadonlySet<Sandbox["state"]> = new Set(["stopped", "stopping", "failed", "destroying"]);

/** A sandbox that takes connections, or will: one that sleeps is woken by its use. Rejects with `sandbox_not_ready`. */
export async function reachableSandbox(session: Session, id: string): Promise<Sandbox> {
  const sandbox = await (await session.client()).call(getSandbox, { params: { id } }, { signal: session.signal });
  refuseOff(sandbox);
  return sandbox;
}

/** Throws `sandbox_not_ready`, with what to do, for a sandbox that takes no connection. */
export function refuseOff({ name, state, error }: Pick<Sandbox, "name" | "state" | "error">): void {
  if (!off.has(state)) return;
  const hint = state === "stopped" ? `Start it with berth start ${name}.` : undefined;
  const why = error ? `: ${error.message}` : ".";
  throw conflict("sandbox_not_ready", `${name} is ${state}${why}`, error?.hint ?? hint);
}
