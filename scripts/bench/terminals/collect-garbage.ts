import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

// Only a context that is made behind this flag has the function.
setFlagsFromString("--expose-gc");
const collect: unknown = runInNewContext("gc");

/** Collects this process's garbage now. */
export function collectGarbage(): void {
  if (typeof collect === "function") collect();
}
