import { useEffect } from "react";
import { watchWorkspace } from "../files/watch.ts";
import type { Repository } from "./repository.ts";

/** How long changes are gathered until they are looked at, in milliseconds. */
const gatherMs = 500;

/** Looks at the repository at first, when something in the workspace changes, and when the page is come back to. */
export function useFreshness(sandboxId: string, repository: Repository): void {
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const refresh = () => void repository.refresh();
    const soon = () => {
      timer ??= setTimeout(() => {
        timer = undefined;
        refresh();
      }, gatherMs);
    };
    refresh();
    const stop = watchWorkspace(sandboxId, { onChanged: soon, onUnknown: soon });
    window.addEventListener("focus", soon);
    return () => {
      window.removeEventListener("focus", soon);
      clearTimeout(timer);
      stop();
    };
  }, [sandboxId, repository]);
}
