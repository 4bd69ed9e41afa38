const escapeByte = 0x1b;
const bell = 0x07;

type Within = "text" | "character" | "escape" | "control" | "string" | "stringEscape";

/**
 * Whether output is within a control sequence or a character: nothing may be written there that is not the program's.
 * After ECMA-48; it only has to know where sequences end, not what they say.
 */
export class SequenceState {
  #within: Within = "text";
  /** Bytes that a character of UTF-8 still needs. */
  #missing = 0;

  /** Output ends between sequences and characters. */
  get between(): boolean {
    return this.#within === "text";
  }

  take(bytes: Uint8Array): void {
    for (const byte of bytes) this.#within = this.#next(byte);
  }

  #next(byte: number): Within {
    switch (this.#within) {
      case "text":
        return this.#text(byte);
      case "character":
        if (byte < 0x80 || byte >= 0xc0) return this.#text(byte);
        this.#missing -= 1;
        return this.#missing > 0 ? "character" : "text";
      case "escape":
        return afterEscape(byte);
      case "control":
        if (byte === escapeByte) return "escape";
        return byte >= 0x40 && byte <= 0x7e ? "text" : "control";
      case "string":
        if (byte === escapeByte) return "stringEscape";
        return byte === bell || byte === 0x18 || byte === 0x1a ? "text" : "string";
      case "stringEscape":
        // ESC \ ends a string, and any other escape begins anew.
        return byte === 0x5c ? "text" : afterEscape(byte);
    }
  }

  #text(byte: number): Within {
    if (byte === escapeByte) return "escape";
    if (byte < 0xc0) return "text";
    this.#missing = byte >= 0xf0 ? 3 : byte >= 0xe0 ? 2 : 1;
    return "character";
  }
}

function afterEscape(byte: number): Within {
  if (byte === 0x5b) return "control";
  // DCS, SOS, OSC, PM, APC.
  if ("PX]^_".includes(String.fromCharCode(byte))) return "string";
  if (byte === escapeByte) return "escape";
  // Intermediate bytes go on; anything else is the last one.
  return byte >= 0x20 && byte <= 0x2f ? "escape" : "text";
}
