import { isUtf8 } from "node:buffer";
import { asciicastEventSchema, asciicastHeaderSchema, parseJson, recordingLimits } from "@berth/protocol";
import { Compile } from "typebox/compile";

const header = Compile(asciicastHeaderSchema);
const event = Compile(asciicastEventSchema);
const newline = 0x0a;

/** What a sandbox sent is no recording. */
export class BadRecording extends Error {
  override readonly name = "BadRecording";
}

/** Lets whole lines of asciicast v3 pass as they are: players are to get nothing else from a sandbox, and no end of it. */
export class AsciicastCheck {
  #rest: Buffer = Buffer.alloc(0);
  #bytes = 0;
  #hasHeader = false;

  /** The lines that are complete with these bytes. Throws `BadRecording`. */
  pass(bytes: Buffer): Buffer {
    this.#bytes += bytes.byteLength;
    if (this.#bytes > recordingLimits.totalBytes) throw new BadRecording("the recording is too long");
    const all = this.#rest.byteLength === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    const end = all.lastIndexOf(newline) + 1;
    for (let at = 0; at < end; ) {
      const lineEnd = all.indexOf(newline, at);
      this.#checkLine(all.subarray(at, lineEnd));
      at = lineEnd + 1;
    }
    this.#rest = all.subarray(end);
    if (this.#rest.byteLength > recordingLimits.lineBytes) throw new BadRecording("a line is too long");
    return all.subarray(0, end);
  }

  /** Nothing follows. Throws `BadRecording` if a line has no end. */
  end(): void {
    if (this.#rest.byteLength > 0 || !this.#hasHeader) throw new BadRecording("the recording is cut off");
  }

  #checkLine(line: Buffer): void {
    if (line.byteLength > recordingLimits.lineBytes || !isUtf8(line)) throw new BadRecording("not a line");
    const value = parseJson(line.toString("utf8"));
    const valid = this.#hasHeader ? event.Check(value) : header.Check(value);
    if (!valid) throw new BadRecording("a line is not asciicast");
    this.#hasHeader = true;
  }
}
