import { type RefObject, useEffect, useEffectEvent, useState } from "react";
import { carriesFiles } from "../terminal/files/offered-files.ts";

/**
 * Takes files that are dropped on a place; answers whether some are being dragged over it. `onDrop` has to read the
 * transfer before it waits for anything.
 */
export function useFileDrop(
  place: RefObject<HTMLElement | null>,
  active: boolean,
  onDrop: (transfer: DataTransfer, target: Element) => void,
): boolean {
  const [dragged, setDragged] = useState(false);
  const over = (event: DragEvent) => event.target instanceof Element && place.current?.contains(event.target) === true;
  const onDrag = useEffectEvent((event: DragEvent) => {
    if (!carriesFiles(event.dataTransfer)) return;
    // Beside the place, too: the browser would leave the console and show the file.
    event.preventDefault();
    if (event.dataTransfer) event.dataTransfer.dropEffect = over(event) ? "copy" : "none";
    setDragged(over(event));
  });
  const onDropped = useEffectEvent((event: DragEvent) => {
    setDragged(false);
    if (!event.dataTransfer || !carriesFiles(event.dataTransfer)) return;
    event.preventDefault();
    if (over(event) && event.target instanceof Element) onDrop(event.dataTransfer, event.target);
  });
  useEffect(() => {
    if (!active) return;
    const controller = new AbortController();
    const { signal } = controller;
    window.addEventListener("dragenter", (event) => onDrag(event), { signal });
    window.addEventListener("dragover", (event) => onDrag(event), { signal });
    window.addEventListener("drop", (event) => onDropped(event), { signal });
    window.addEventListener("dragleave", (event) => event.relatedTarget === null && setDragged(false), { signal });
    return () => {
      controller.abort();
      setDragged(false);
    };
  }, [active]);
  return dragged;
}
