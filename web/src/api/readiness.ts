import { parseJson, type Readiness, readinessSchema } from "@berth/protocol";
import { Value } from "typebox/value";

/** What the controller says of its own state; undefined if it does not answer. */
export async function readReadiness(signal: AbortSignal): Promise<Readiness | undefined> {
  try {
    const response = await fetch("/readyz", { signal, credentials: "same-origin" });
    const value = parseJson(await response.text());
    return Value.Check(readinessSchema, value) ? value : undefined;
  } catch {
    return undefined;
  }
}
