import { type AttachParams, attachLimits } from "@berth/protocol";
import type { Channel } from "@berth/protocol/link";
import { OutputRing } from "../../../agent/src/pty-host/ring.ts";
import type { Snapshot } from "../../../agent/src/pty-host/snapshot.ts";
import { TerminalInput } from "../../../agent/src/pty-host/terminal-input.ts";
import { type ViewedTerminal, Viewer } from "../../../agent/src/pty-host/viewer.ts";
import { readyWord } from "../terminals/programs.ts";

const size = { cols: 80, rows: 24 } as const;
const ringBytes = 4096;

/** The PTY host's viewers and input around a terminal that is no more than its own echo: no PTY, screen or disk. */
export class EchoTerminal implements ViewedTerminal {
  readonly epoch = 1;
  readonly ring = new OutputRing(ringBytes, ringBytes);
  readonly size = size;
  readonly windowBytes = attachLimits.windowBytes;
  readonly #viewers = new Set<Viewer>();
  readonly #input = new TerminalInput((bytes) => this.#echo(bytes));

  async attach(channel: Channel, params: AttachParams): Promise<void> {
    const viewer = new Viewer(this, channel, params);
    this.#viewers.add(viewer);
    await viewer.start(this.#input.attach(viewer));
  }

  async snapshot(): Promise<Snapshot> {
    const bytes = Buffer.from(`\x1bc${readyWord}`);
    return { ...size, bytes, offset: this.ring.endOffset, approximate: false };
  }

  typed(viewer: Viewer, bytes: Uint8Array): void {
    this.#input.receive(viewer, bytes);
  }

  left(viewer: Viewer): void {
    this.#viewers.delete(viewer);
    this.#input.leave(viewer);
  }

  madeRoom(): void {}
  wishes(): void {}

  #echo(bytes: Uint8Array): number {
    this.ring.append(bytes);
    for (const viewer of this.#viewers) viewer.pump();
    return bytes.byteLength;
  }
}
