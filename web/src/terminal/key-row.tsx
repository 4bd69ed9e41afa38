import type { PointerEvent, ReactNode } from "react";
import { Icon } from "../ui/icon.tsx";

export interface KeyRowProps {
  /** Ctrl is pressed, for the next key. */
  ctrl: boolean;
  onCtrl: () => void;
  /** Types; arrows are given as their letter: `A` up, `B` down, `C` right, `D` left. */
  onKey: (data: string) => void;
  onArrow: (letter: "A" | "B" | "C" | "D") => void;
  /** Picks files for the sandbox. */
  onFiles: () => void;
}

/** Keys that a phone's keyboard lacks. Pressing them leaves the focus, and so the phone's keyboard, where it is. */
export function KeyRow({ ctrl, onCtrl, onKey, onArrow, onFiles }: KeyRowProps) {
  const keep = (event: PointerEvent) => event.preventDefault();
  const key = (label: ReactNode, act: () => void, name = String(label), pressed?: boolean) => (
    <button type="button" tabIndex={-1} aria-label={name} aria-pressed={pressed} onPointerDown={keep} onClick={act}>
      {label}
    </button>
  );
  return (
    <div className="key-row" role="toolbar" aria-label="Keys">
      {key("Esc", () => onKey("\x1b"), "Escape")}
      {key("Tab", () => onKey("\t"))}
      {key("Ctrl", onCtrl, "Control", ctrl)}
      {key("←", () => onArrow("D"), "Left")}
      {key("↓", () => onArrow("B"), "Down")}
      {key("↑", () => onArrow("A"), "Up")}
      {key("→", () => onArrow("C"), "Right")}
      {key("⏎", () => onKey("\r"), "Enter")}
      {key(<Icon name="clip" />, onFiles, "Send files")}
    </div>
  );
}
