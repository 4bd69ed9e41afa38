/**
 * A path as a terminal types one that is dropped on it: each ASCII character that a shell would read as something else
 * has a backslash before it. Shells and Claude both read it back, and Claude takes an image's path for the image.
 */
export function quotedPath(path: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the range is all of ASCII, less what needs no quoting.
  return path.replace(/[^\w./@%+:,-](?<=[\x00-\x7f])/g, "\\$&");
}
