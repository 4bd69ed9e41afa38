/** One server-sent event. */
export interface StreamEvent {
  /** Of the latest `id` line, as the standard has it; undefined before the first. */
  readonly id: string | undefined;
  readonly event: string;
  readonly data: string;
}

/** A line of more than this is not of Berth's making. */
const maxLineCharacters = 4 * 1024 * 1024;

/** Reads server-sent events (HTML, section 9.2) out of bytes that end anywhere. */
export async function* parseEvents(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<StreamEvent, void, void> {
  let id: string | undefined;
  let event = "";
  let data: string[] = [];
  for await (const line of lines(bytes)) {
    if (line === "") {
      if (data.length > 0) yield { id, event: event || "message", data: data.join("\n") };
      event = "";
      data = [];
      continue;
    }
    const colon = line.indexOf(":");
    if (colon === 0) continue;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "id" && !value.includes("\0")) id = value;
    else if (field === "event") event = value;
    else if (field === "data") data.push(value);
  }
}

/** Lines without their ends; what stands behind the last end is no line. */
async function* lines(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<string, void, void> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of bytes) {
    rest += decoder.decode(chunk, { stream: true });
    // A carriage return at the very end may be half of a line's end.
    const parts = rest.split(/\r\n|\n|\r(?!$)/);
    rest = parts.pop() ?? "";
    yield* parts;
    if (rest.length > maxLineCharacters) throw new Error("a line of the event stream is too long");
  }
}
