/** The value of a JSON text, or undefined if it is not JSON. The value is not to be trusted before a schema has checked it. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
