import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

const options = {
  /** As a last resort V8 keeps no freed page. */
  all: { type: "major", execution: "sync", flavor: "last-resort" },
  young: { type: "minor", execution: "sync" },
} as const;

/**
 * V8's own collection, which Node offers by a flag alone: of `all` garbage, whose memory the system gets back, in some
 * fifty milliseconds, or of what is `young`, in a few. Throws where this Node has none.
 */
export function garbageCollection(which: keyof typeof options): () => void {
  setFlagsFromString("--expose-gc");
  setFlagsFromString("--no-flush-bytecode");
  const collect: unknown = runInNewContext("gc");
  if (typeof collect !== "function") throw new Error("this Node has no collection to call");
  return () => void collect(options[which]);
}
