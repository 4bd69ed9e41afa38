import { type RefObject, useEffect, useEffectEvent, useState } from "react";
import { carriesFiles, clipboardPictures, droppedFiles, type OfferedFile, pastedFiles } from "./offered-files.ts";

export interface FileIntakeOptions {
  /** Where files may be dropped and pasted. */
  place: RefObject<HTMLElement | null>;
  /** It is the terminal that is seen. */
  active: boolean;
  /** Files are not taken now; what becomes of them is for `onFiles` to say. */
  refused: boolean;
  onFiles: (files: OfferedFile[]) => void;
}

/** Takes files that are dropped or pasted; answers whether some are being dragged over the place. */
export function useFileIntake({ place, active, refused, onFiles }: FileIntakeOptions): boolean {
  const [dragged, setDragged] = useState(false);
  const take = useEffectEvent((files: OfferedFile[]) => {
    if (files.length > 0) onFiles(files);
  });
  const onDrag = useEffectEvent((event: DragEvent) => {
    if (!carriesFiles(event.dataTransfer)) return;
    // Beside the terminal, too: the browser would leave the console and show the file.
    event.preventDefault();
    const over = isWithin(place.current, event.target);
    if (event.dataTransfer) event.dataTransfer.dropEffect = over && !refused ? "copy" : "none";
    setDragged(over);
  });
  const onDragLeave = useEffectEvent((event: DragEvent) => {
    if (!isWithin(place.current, event.relatedTarget)) setDragged(false);
  });
  const onDrop = useEffectEvent((event: DragEvent) => {
    setDragged(false);
    if (!event.dataTransfer || !carriesFiles(event.dataTransfer)) return;
    event.preventDefault();
    if (isWithin(place.current, event.target)) take(droppedFiles(event.dataTransfer));
  });
  const onPaste = useEffectEvent((event: ClipboardEvent) => {
    const clipboard = event.clipboardData;
    if (!clipboard) return;
    const files = pastedFiles(clipboard, new Date());
    if (files.length > 0) {
      // The terminal would paste the names.
      event.preventDefault();
      event.stopPropagation();
      take(files);
    } else if (clipboard.getData("text/plain") === "") {
      void clipboardPictures(new Date()).then((pictures) => take(pictures));
    }
  });

  useEffect(() => {
    if (!active) return;
    const { signal, stop } = until();
    window.addEventListener("dragenter", (event) => onDrag(event), { signal });
    window.addEventListener("dragover", (event) => onDrag(event), { signal });
    window.addEventListener("dragleave", (event) => onDragLeave(event), { signal });
    window.addEventListener("drop", (event) => onDrop(event), { signal });
    // Before the terminal's own handler, which stops the event.
    place.current?.addEventListener("paste", (event) => onPaste(event), { signal, capture: true });
    return () => {
      stop();
      setDragged(false);
    };
  }, [place, active]);
  return dragged;
}

function until(): { signal: AbortSignal; stop: () => void } {
  const controller = new AbortController();
  return { signal: controller.signal, stop: () => controller.abort() };
}

function isWithin(place: HTMLElement | null, target: EventTarget | null): boolean {
  return target instanceof Node && (place?.contains(target) ?? false);
}
