import { useEffect } from "react";
import { useStore } from "../../api/store.ts";
import { Button } from "../../ui/button.tsx";
import { copyText } from "../../ui/clipboard.ts";
import { Icon } from "../../ui/icon.tsx";
import type { FileQueue, FileTransfer } from "./file-queue.ts";
import "./files.css";

/** How long it is said that a file is there, in milliseconds: its path in the terminal says the same. */
const doneMs = 3_000;

/** What became of the files for a terminal, over its upper right corner. */
export function FileTransfers({ queue, onDone }: { queue: FileQueue; onDone: () => void }) {
  const transfers = useStore(queue.transfers);
  return (
    <ul className="file-transfers" aria-label="Files" aria-live="polite" hidden={transfers.length === 0}>
      {transfers.map((transfer) => (
        <TransferItem key={transfer.id} transfer={transfer} queue={queue} onDone={onDone} />
      ))}
    </ul>
  );
}

interface TransferItemProps {
  transfer: FileTransfer;
  queue: FileQueue;
  onDone: () => void;
}

function TransferItem({ transfer, queue, onDone }: TransferItemProps) {
  const { id, name, state } = transfer;
  const passes = state.phase === "done" && state.typed;
  useEffect(() => {
    if (!passes) return;
    const timer = setTimeout(() => queue.remove(id), doneMs);
    return () => clearTimeout(timer);
  }, [passes, queue, id]);
  const leave = () => {
    queue.remove(id);
    onDone();
  };
  const underWay = state.phase === "waiting" || state.phase === "sending";
  return (
    <li className="file-transfer" data-phase={state.phase}>
      <div className="file-transfer-words">
        <p className="file-transfer-name" title={name}>
          {name}
        </p>
        <TransferState transfer={transfer} />
      </div>
      {state.phase === "done" && !state.typed && <Button onClick={() => void copyText(state.path)}>Copy path</Button>}
      {state.phase === "failed" && state.again && <Button onClick={() => queue.retry(id)}>Try again</Button>}
      <button
        type="button"
        className="file-transfer-close"
        aria-label={underWay ? `Cancel ${name}` : `Dismiss ${name}`}
        onClick={leave}
      >
        <Icon name="cross" />
      </button>
    </li>
  );
}

function TransferState({ transfer: { name, bytes, state } }: { transfer: FileTransfer }) {
  switch (state.phase) {
    case "waiting":
      return <p className="file-transfer-note">Waits for the others</p>;
    case "sending":
      // The last byte has left, and the sandbox has not said yet that it is on its disk.
      if (state.sentBytes >= bytes) return <p className="file-transfer-note">Being written…</p>;
      return (
        <p className="file-transfer-note">
          <progress aria-label={`Sending ${name}`} max={bytes} value={state.sentBytes} />
          {Math.floor((100 * state.sentBytes) / bytes)} % of {sizeText(bytes)}
        </p>
      );
    case "done":
      if (state.typed) return <p className="file-transfer-note">Is in the sandbox</p>;
      return <p className="file-transfer-note mono">{state.path}</p>;
    case "failed":
      return (
        <p className="file-transfer-note" role="alert">
          {state.failure.message} {state.failure.hint}
        </p>
      );
  }
}

function sizeText(bytes: number): string {
  if (bytes < 1024 * 1024) return `${Math.ceil(bytes / 1024)} KiB`;
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}
