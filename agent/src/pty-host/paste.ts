import type { Key } from "@berth/protocol";

/** What a caller types. */
export interface Typing {
  text: string;
  /** As one paste, where the program understands that; several lines always are. */
  paste?: boolean;
  /** Pressed after the text. */
  keys?: readonly Key[];
  /** Enter follows. */
  submit: boolean;
}

/**
 * Text as somebody would type it: several lines as one bracketed paste where the program understands that. The marks of
 * a paste within the text are taken out, so that the text cannot end it.
 */
export function typedText({ text, paste = false }: Pick<Typing, "text" | "paste">, bracketedPaste: boolean): Buffer {
  const lines = text.replaceAll("\r\n", "\n");
  const typed =
    (paste || lines.includes("\n")) && bracketedPaste
      ? // biome-ignore lint/suspicious/noControlCharactersInRegex: the marks are control sequences.
        `\x1b[200~${lines.replace(/\x1b\[20[01]~/g, "").replaceAll("\n", "\r")}\x1b[201~`
      : lines.replaceAll("\n", "\r");
  return Buffer.from(typed);
}
