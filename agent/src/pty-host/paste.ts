const enter = Buffer.from("\r");

export interface Typing {
  text: string;
  /** Enter follows. */
  submit: boolean;
  /** As one paste, where the program understands that; several lines always are. */
  paste?: boolean;
}

/**
 * Text as somebody would type it: several lines as one bracketed paste where the program understands that, then Enter
 * if it is to be submitted. The marks of a paste within the text are taken out, so that the text cannot end it.
 */
export function typedText({ text, submit, paste = false }: Typing, bracketedPaste: boolean): Buffer {
  const lines = text.replaceAll("\r\n", "\n");
  const typed =
    (paste || lines.includes("\n")) && bracketedPaste
      ? // biome-ignore lint/suspicious/noControlCharactersInRegex: the marks are control sequences.
        `\x1b[200~${lines.replace(/\x1b\[20[01]~/g, "").replaceAll("\n", "\r")}\x1b[201~`
      : lines.replaceAll("\n", "\r");
  return submit ? Buffer.concat([Buffer.from(typed), enter]) : Buffer.from(typed);
}
