/** A terminal's size in cells. */
export interface TerminalSize {
  readonly cols: number;
  readonly rows: number;
}

/** Whether two sizes are known and equal. */
export function sameSize(a: TerminalSize | undefined, b: TerminalSize | undefined): boolean {
  return a !== undefined && b !== undefined && a.cols === b.cols && a.rows === b.rows;
}

/** What is to be said of a viewer's size: never what the server knows already, since each resize redraws a program. */
export class ViewerSize {
  /** What fits here. */
  #fit: TerminalSize | undefined;
  /** What the server was last told on this connection. */
  #told: TerminalSize | undefined;
  /** The terminal's own size, as the server last said. */
  #actual: TerminalSize | undefined;

  fit(size: TerminalSize): void {
    this.#fit = size;
  }

  /** The size of the terminal, by word of the server. */
  resized(size: TerminalSize): TerminalSize {
    this.#actual = size;
    return size;
  }

  /** The size that a new connection begins with; it counts as told. */
  takeInitial(): TerminalSize | undefined {
    this.#told = this.#fit;
    return this.#fit;
  }

  /** The size to tell the server because it changed. */
  takeNews(): TerminalSize | undefined {
    return sameSize(this.#fit, this.#told) ? undefined : this.#take();
  }

  /** The size to tell the server because the user is active here while the terminal has another size. */
  takeClaim(): TerminalSize | undefined {
    return sameSize(this.#fit, this.#actual) ? undefined : this.#take();
  }

  #take(): TerminalSize | undefined {
    this.#told = this.#fit;
    // Until the server answers, further keys need not ask again.
    this.#actual = this.#fit ?? this.#actual;
    return this.#fit;
  }
}
