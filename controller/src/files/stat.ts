import type { EntryFacts } from "@berth/protocol/link";
import type { CallOptions, WorkspaceConnections, WorkspaceLink } from "./workspace-calls.ts";

/**
 * The facts of many paths of a workspace (each the raw bytes of a path below it), in their order; null where there is
 * nothing, or a link on the way. At most `workspaceLimits.paths` of them in one call. Rejects with `BerthError`.
 */
export async function statPaths(
  connections: WorkspaceConnections,
  link: WorkspaceLink,
  paths: readonly Buffer[],
  options: Pick<CallOptions, "signal"> = {},
): Promise<(EntryFacts | null)[]> {
  const { records } = await connections.list(
    link,
    "stat",
    {},
    { ...options, input: endedByNul(paths), maxRecords: paths.length },
  );
  return records;
}

/** Paths as they go in a call's input. */
export async function* endedByNul(paths: readonly Buffer[]): AsyncGenerator<Buffer> {
  const together = 1000;
  for (let at = 0; at < paths.length; at += together) {
    yield Buffer.concat(paths.slice(at, at + together).flatMap((path) => [path, Buffer.of(0)]));
  }
}
