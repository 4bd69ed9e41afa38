import { stripVTControlCharacters } from "node:util";

const codes = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39],
} as const;
export type Look = keyof typeof codes;

/** Gives text a look; where colours are not wanted, it answers the text as it is. */
export type Style = (look: Look, text: string) => string;

export function styleFor(colours: boolean): Style {
  if (!colours) return (_look, text) => text;
  return (look, text) => `\x1b[${codes[look][0]}m${text}\x1b[${codes[look][1]}m`;
}

/**
 * Text from a sandbox or from Proxmox as one harmless line: it may hold control sequences, which would act on the
 * terminal of whoever reads it.
 */
export function harmless(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is taken out
  return stripVTControlCharacters(text).replace(/[\u0000-\u001f\u007f-\u009f]+/g, " ");
}
