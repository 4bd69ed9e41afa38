import type { Pty, PtyOptions, SpawnPty } from "../../src/pty-host/pty.ts";

/** A PTY without a kernel: the test writes its output and reads its input. */
export class FakePty implements Pty {
  readonly pid = 0;
  readonly slave: string = "";
  readonly options: PtyOptions;
  readonly written: Buffer[] = [];
  readonly sizes: { cols: number; rows: number }[] = [];
  paused = false;
  /** Bytes of input that the program takes before it stops reading. */
  inputRoom = Number.POSITIVE_INFINITY;
  /** Output so far, in bytes; each byte is a function of its offset. */
  offset = 0;

  constructor(options: PtyOptions) {
    this.options = options;
  }

  /** The program writes so many bytes more. */
  emit(bytes: number): void {
    this.options.onData(outputAt(this.offset, bytes));
    this.offset += bytes;
  }

  exit(code: number): void {
    this.options.onExit({ code, signal: null });
  }

  write(bytes: Uint8Array): number {
    const taken = Math.min(bytes.byteLength, this.inputRoom);
    this.inputRoom -= taken;
    if (taken > 0) this.written.push(Buffer.from(bytes.subarray(0, taken)));
    return taken;
  }

  resize(cols: number, rows: number): void {
    this.sizes.push({ cols, rows });
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }

  handOver(): undefined {
    return undefined;
  }

  async end(): Promise<void> {
    this.exit(0);
  }
}

/** A way to start fake PTYs, and those that were started. */
export function fakeSpawn(): { spawn: SpawnPty; ptys: FakePty[] } {
  const ptys: FakePty[] = [];
  const spawn: SpawnPty = (options) => {
    const pty = new FakePty(options);
    ptys.push(pty);
    return pty;
  };
  return { spawn, ptys };
}

/** What a fake PTY's output has at an offset: letters, and a newline now and then. */
export function outputAt(offset: number, bytes: number): Buffer {
  const output = Buffer.allocUnsafe(bytes);
  for (let index = 0; index < bytes; index += 1) {
    const at = offset + index;
    output[index] = at % 61 === 60 ? 10 : 33 + ((at * 31 + (at >> 8)) % 90);
  }
  return output;
}
