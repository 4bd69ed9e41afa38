import { type RefObject, useEffect, useState } from "react";
import { DropHint } from "./drop-hint.tsx";
import { FileQueue } from "./file-queue.ts";
import { FileTransfers } from "./file-transfers.tsx";
import { named } from "./offered-files.ts";
import { sendFile } from "./send-file.ts";
import { useFileIntake } from "./use-file-intake.ts";

/** Lets the user pick files, from a click of theirs. */
export type PickFiles = () => void;

export interface TerminalFilesProps {
  terminalId: string;
  /** Where files may be dropped and pasted. */
  place: RefObject<HTMLElement | null>;
  /** It is the terminal that is seen. */
  active: boolean;
  /** Why no files are taken now, or null. */
  refusal: string | null;
  /** Is set while the terminal is seen. */
  picker: RefObject<PickFiles | null>;
  /** The user is done with files, and goes on in the terminal. */
  onDone: () => void;
}

/** Files for a terminal's sandbox: dropped, pasted or picked, and what becomes of them. */
export function TerminalFiles({ terminalId, place, active, refusal, picker, onDone }: TerminalFilesProps) {
  const queue = useFileQueue(terminalId);
  const [input, setInput] = useState<HTMLInputElement | null>(null);
  const dragged = useFileIntake({
    place,
    active,
    refused: refusal !== null,
    onFiles: (files) => {
      queue?.add(files, refusal);
      onDone();
    },
  });
  useEffect(() => {
    if (!active || !input) return;
    const pick = () => input.click();
    picker.current = pick;
    return () => {
      if (picker.current === pick) picker.current = null;
    };
  }, [active, input, picker]);
  return (
    <>
      {dragged && <DropHint refusal={refusal} />}
      {queue && <FileTransfers queue={queue} onDone={onDone} />}
      <input
        ref={setInput}
        className="visually-hidden"
        type="file"
        multiple
        tabIndex={-1}
        aria-label="Files for the sandbox"
        onChange={({ currentTarget }) => {
          queue?.add(named([...(currentTarget.files ?? [])], new Date()), refusal);
          // The same file may be picked again.
          currentTarget.value = "";
          onDone();
        }}
      />
    </>
  );
}

/** The files of a terminal, as long as it is shown; what is on its way then is stopped. */
function useFileQueue(terminalId: string): FileQueue | undefined {
  const [queue, setQueue] = useState<FileQueue | undefined>(undefined);
  useEffect(() => {
    const made = new FileQueue({ terminalId, send: sendFile });
    setQueue(made);
    return () => made.dispose();
  }, [terminalId]);
  return queue;
}
