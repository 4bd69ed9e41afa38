import type { SourceFile } from "./sources.ts";

/** No file is longer without a reason. */
export const maxLines = 400;

/** Files that may be longer, with the reason. */
const reasons: Readonly<Record<string, string>> = {};

/** One line for every file that is too long. */
export function tooLongFiles(files: readonly SourceFile[]): string[] {
  return files.flatMap(({ path, text }) => {
    const lines = text.split("\n").length - 1;
    return lines > maxLines && !(path in reasons) ? [`${path} has ${lines} lines; ${maxLines} is the most`] : [];
  });
}
