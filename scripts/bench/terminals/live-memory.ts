import { Inspector } from "./inspector.ts";

const expression = "{ const { heapUsed, external } = process.memoryUsage(); heapUsed + external; }";

/**
 * What a Node process holds on to, in bytes: its heap and what belongs to it outside, after a collection. For parts too
 * small to be seen in a process's own memory, which follows when V8 likes to give memory back. Needs a free port 9229.
 */
export function liveBytes(pid: number): Promise<number> {
  return Inspector.inspect(pid, async (inspector) => {
    await inspector.call("HeapProfiler.collectGarbage");
    const bytes = await inspector.evaluate(expression);
    if (typeof bytes !== "number") throw new Error("the process does not tell its memory");
    return bytes;
  });
}
