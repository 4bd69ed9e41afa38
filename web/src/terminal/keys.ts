import type { TerminalKind } from "@berth/protocol";

/** What the console does with a key instead of the terminal. */
export type KeyAction =
  | { readonly do: "copy" }
  /** The browser pastes; xterm.js takes the paste event. */
  | { readonly do: "paste" }
  | { readonly do: "zoom"; readonly by: 1 | 0 | -1 }
  | { readonly do: "tab"; readonly index: number }
  | { readonly do: "leave" }
  | { readonly do: "send"; readonly data: string };

const isApple = () => /^(Mac|iP)/.test(navigator.platform);

/** The keys that the console keeps for itself; undefined: the terminal's. */
export function keyAction(event: KeyboardEvent, kind: TerminalKind, tabs: number): KeyAction | undefined {
  const { ctrlKey: ctrl, shiftKey: shift, altKey: alt, metaKey: meta } = event;
  if (ctrl && shift && !alt && !meta) {
    if (event.code === "KeyC") return { do: "copy" };
    if (event.code === "KeyV") return { do: "paste" };
    if (event.code === "ArrowUp") return { do: "leave" };
  }
  if ((ctrl || meta) && !alt) {
    if (event.key === "+" || event.key === "=") return { do: "zoom", by: 1 };
    if (event.key === "-") return { do: "zoom", by: -1 };
    if (event.key === "0" && !shift) return { do: "zoom", by: 0 };
  }
  if (alt && !ctrl && !shift && !meta && /^Digit[1-9]$/.test(event.code)) {
    const index = Number(event.code.slice(5)) - 1;
    // A digit without a tab is the terminal's: shells use it as a count.
    if (tabs > 1 && index < tabs) return { do: "tab", index };
  }
  // Claude would look for a picture on the sandbox's clipboard; the one that is meant is the browser's.
  if (kind === "claude" && event.code === "KeyV" && ctrl && !shift && !alt && !meta && !isApple())
    return { do: "paste" };
  // Claude takes Meta+Enter for a line break; terminals send the same for Enter and Shift+Enter.
  if (kind === "claude" && event.key === "Enter" && shift && !ctrl && !alt && !meta)
    return { do: "send", data: "\x1b\r" };
  return undefined;
}
