import { useEffect, useState } from "react";
import { useApi } from "../api/context.tsx";
import { watchWorkspace } from "../files/watch.ts";
import { WorkspaceFiles } from "../files/workspace-files.ts";

/** What somebody has typed about a sandbox and not sent yet: kept while its page is open, whatever becomes of the sandbox. */
export interface Drafts {
  /** Undefined until files are looked at. */
  readonly files: WorkspaceFiles | undefined;
  /** Of the next commit. */
  readonly message: string;
  readonly setMessage: (message: string) => void;
}

/** @param filesSeen The files are in front, in a sandbox that runs. */
export function useDrafts(sandboxId: string, filesSeen: boolean): Drafts {
  const [message, setMessage] = useState("");
  return { files: useWorkspaceFiles(sandboxId, filesSeen), message, setMessage };
}

/** The sandbox's files, from when they are first looked at; followed while they are. */
function useWorkspaceFiles(sandboxId: string, seen: boolean): WorkspaceFiles | undefined {
  const api = useApi();
  const [files, setFiles] = useState<WorkspaceFiles | undefined>(undefined);
  useEffect(() => {
    if (seen && !files) setFiles(new WorkspaceFiles(api, sandboxId));
  }, [api, sandboxId, seen, files]);
  useEffect(() => () => files?.dispose(), [files]);
  useEffect(() => {
    if (!seen || !files) return;
    files.reload();
    return watchWorkspace(sandboxId, {
      onChanged: (places) => files.changed(places),
      onUnknown: () => files.reload(),
    });
  }, [sandboxId, seen, files]);
  useEffect(() => {
    if (!files) return;
    const warn = (event: BeforeUnloadEvent) => {
      if (files.edited.get().size > 0) event.preventDefault();
    };
    window.addEventListener("beforeunload", warn);
    return () => window.removeEventListener("beforeunload", warn);
  }, [files]);
  return files;
}
