import { fileEvents, routeUrl, shownPathFields } from "@berth/protocol";
import Type from "typebox";
import { Value } from "typebox/value";
import { EventStream } from "../api/event-stream.ts";
import type { WorkspacePlace } from "./place.ts";

const changedSchema = Type.Object({ paths: Type.Array(Type.Object(shownPathFields)) });

export interface Watcher {
  onChanged: (places: readonly WorkspacePlace[]) => void;
  /** What happened is not known: everything has to be looked at again. */
  onUnknown: () => void;
}

/** Tells what changes in a sandbox's workspace; answers how to stop. */
export function watchWorkspace(sandboxId: string, watcher: Watcher): () => void {
  let isFirst = true;
  const stream = new EventStream({
    url: routeUrl(fileEvents, { params: { id: sandboxId } }),
    names: ["watching", "changed", "overflow"],
    onEvent: (name, data) => {
      if (name === "changed" && Value.Check(changedSchema, data)) watcher.onChanged(data.paths);
      else if (name === "overflow") watcher.onUnknown();
      else if (name === "watching") {
        // From here on nothing is missed; what was listed before a cut is old.
        if (!isFirst) watcher.onUnknown();
        isFirst = false;
      }
    },
    onLive: () => {},
  });
  return () => stream.close();
}
