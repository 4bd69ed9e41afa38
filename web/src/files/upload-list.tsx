import { useEffect } from "react";
import { useStore } from "../api/store.ts";
import "../terminal/files/files.css";
import { Button } from "../ui/button.tsx";
import { Icon } from "../ui/icon.tsx";
import { bytesText } from "./bytes.ts";
import type { Upload, UploadQueue } from "./upload-queue.ts";

/** How long it is said that a file is there, in milliseconds: the tree shows it. */
const doneMs = 2_000;

/** What became of the files that are uploaded. */
export function UploadList({ queue }: { queue: UploadQueue }) {
  const uploads = useStore(queue.uploads);
  // A dropped folder may bring thousands.
  const shown = uploads.slice(0, 8);
  return (
    <ul className="file-transfers uploads" aria-label="Uploads" aria-live="polite" hidden={uploads.length === 0}>
      {shown.map((upload) => (
        <UploadItem key={upload.id} upload={upload} queue={queue} />
      ))}
      {uploads.length > shown.length && (
        <li className="file-transfer">
          <span className="file-transfer-words">and {uploads.length - shown.length} more</span>
          <Button onClick={() => queue.clear()}>Cancel all</Button>
        </li>
      )}
    </ul>
  );
}

function UploadItem({ upload: { id, place, bytes, state }, queue }: { upload: Upload; queue: UploadQueue }) {
  const done = state.phase === "done";
  useEffect(() => {
    if (!done) return;
    const timer = setTimeout(() => queue.remove(id), doneMs);
    return () => clearTimeout(timer);
  }, [done, queue, id]);
  const underWay = state.phase === "waiting" || state.phase === "sending";
  return (
    <li className="file-transfer" data-phase={state.phase}>
      <div className="file-transfer-words">
        <p className="file-transfer-name" title={place.path}>
          {place.path}
        </p>
        <p className="file-transfer-note" role={state.phase === "failed" ? "alert" : undefined}>
          <UploadWords path={place.path} bytes={bytes} state={state} />
        </p>
      </div>
      {state.phase === "failed" && (
        <Button onClick={() => queue.retry(id, state.exists)}>{state.exists ? "Replace" : "Try again"}</Button>
      )}
      <button
        type="button"
        className="file-transfer-close"
        aria-label={underWay ? `Cancel ${place.path}` : `Dismiss ${place.path}`}
        onClick={() => queue.remove(id)}
      >
        <Icon name="cross" />
      </button>
    </li>
  );
}

function UploadWords({ path, bytes, state }: { path: string; bytes: number; state: Upload["state"] }) {
  switch (state.phase) {
    case "waiting":
      return "Waits for the others";
    case "sending":
      // The last byte has left, and the sandbox has not said yet that it is on its disk.
      if (state.sentBytes >= bytes) return "Being written…";
      return (
        <>
          <progress aria-label={`Sending ${path}`} max={bytes} value={state.sentBytes} />
          {Math.floor((100 * state.sentBytes) / bytes)} % of {bytesText(bytes)}
        </>
      );
    case "done":
      return "Is in the sandbox";
    case "failed":
      return state.exists
        ? "A file of that name is there already."
        : `${state.failure.message} ${state.failure.hint ?? ""}`;
  }
}
