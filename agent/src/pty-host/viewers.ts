import { type AttachParams, attachLimits, type TerminalExit } from "@berth/protocol";
import type { Channel, CloseReason } from "@berth/protocol/link";
import type { TerminalContent } from "./content.ts";
import { limits } from "./limits.ts";
import { Pacing } from "./pacing.ts";
import type { Pty } from "./pty.ts";
import { isReport, type Size, SizeOwnership } from "./size.ts";
import type { TerminalMeta } from "./store.ts";
import type { TerminalInput } from "./terminal-input.ts";
import type { Typists } from "./typists.ts";
import { type ViewedTerminal, Viewer } from "./viewer.ts";

/** What the viewers need of their terminal. */
export interface ViewersOptions {
  content(): Promise<TerminalContent>;
  meta(): TerminalMeta;
  pty(): Pty | undefined;
  input: TerminalInput;
  resize(size: Size): void;
  typists: Typists;
}

/** All viewers of one terminal: who paces it, whose size it has, where their input goes. */
export class Viewers {
  readonly #options: ViewersOptions;
  readonly #viewers = new Set<Viewer>();
  readonly #sizes = new SizeOwnership<Viewer>();
  readonly #pacing: Pacing;

  constructor(options: ViewersOptions) {
    this.#options = options;
    this.#pacing = new Pacing(this.#viewers, options.pty);
  }

  /** Takes a viewer in, and serves it until its channel closes. */
  async attach(channel: Channel, params: AttachParams): Promise<void> {
    if (this.#viewers.size >= limits.maxViewersPerTerminal) {
      channel.close({ code: "limit_exceeded", detail: "too many viewers of this terminal" });
      return;
    }
    // Handlers must be there before this turn ends, so the viewer is made before the content is read from disk.
    const late: { content: TerminalContent | undefined } = { content: undefined };
    const viewer = new Viewer(this.#viewed(late), channel, params);
    this.#viewers.add(viewer);
    const { cols, rows } = params;
    const wish = !params.readOnly && cols !== undefined && rows !== undefined ? { cols, rows } : undefined;
    if (!params.readOnly) this.#sizes.join(viewer, wish);
    // A stream that a viewer without input names is another's: it must not be taken over.
    const inputOffset = params.readOnly ? 0 : this.#options.input.attach(viewer);
    late.content = await this.#options.content();
    if (viewer.closed) return;
    if (this.#options.meta().exit === null) this.#applySize();
    await viewer.start(inputOffset);
    const { exit } = this.#options.meta();
    if (exit) viewer.exited(exit);
    this.#pacing.look();
  }

  /** There is more output. */
  pump(): void {
    if (this.#viewers.size === 0) return;
    for (const viewer of this.#viewers) viewer.pump();
    this.#pacing.look();
  }

  /** The size has changed where the output had come to `offset`. */
  resized(size: Size, offset: number): void {
    for (const viewer of this.#viewers) viewer.resized(size, offset);
  }

  exited(exit: TerminalExit): void {
    this.#pacing.release();
    for (const viewer of this.#viewers) viewer.exited(exit);
  }

  closeAll(reason: CloseReason): void {
    for (const viewer of [...this.#viewers]) viewer.close(reason);
  }

  #viewed(late: { content: TerminalContent | undefined }): ViewedTerminal {
    const { meta, input, typists } = this.#options;
    const { windowBytes } = attachLimits;
    const content = () => {
      if (!late.content) throw new Error("a viewer started before its terminal was loaded");
      return late.content;
    };
    return {
      get epoch() {
        return meta().epoch;
      },
      get ring() {
        return content().ring;
      },
      get size() {
        const { cols, rows } = meta();
        return { cols, rows };
      },
      get windowBytes() {
        return typists.isElsewhere(input) ? Math.min(limits.sharedWindowBytes, windowBytes) : windowBytes;
      },
      snapshot: (scrollbackLines) => content().feed.snapshot(scrollbackLines),
      madeRoom: () => this.#pacing.look(),
      typed: (viewer, bytes) => {
        if (!isReport(bytes)) {
          typists.typed(input);
          this.#sizes.typed(viewer);
          this.#applySize();
        }
        input.receive(viewer, bytes);
      },
      wishes: (viewer, size) => {
        this.#sizes.wish(viewer, size);
        this.#applySize();
      },
      left: (viewer) => {
        this.#viewers.delete(viewer);
        if (!viewer.params.readOnly) input.leave(viewer);
        this.#sizes.leave(viewer);
        this.#applySize();
        this.#pacing.look();
      },
    };
  }

  #applySize(): void {
    const { wanted } = this.#sizes;
    if (wanted && this.#options.meta().exit === null) this.#options.resize(wanted);
  }
}
