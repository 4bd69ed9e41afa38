/** How many symbols each stream of typed bytes has; a stream's symbols are nobody else's. */
const symbols = 50;
const firstSymbol = 33;
export const maxStreams = 4;

interface Stream {
  /** Bytes typed so far. */
  typed: number;
  /** The next position that the program is to get. */
  next: number;
  /** What its client last said to be written. */
  declared: number;
  /** Positions from which it may begin in a later life: the count of what was written went with the PTY host. */
  starts: number[] | undefined;
}

/**
 * What was typed into one terminal, stream by stream, and what of it came to the program. A byte tells its stream and,
 * in turn, its position, so that one that is lost, repeated or out of order shows at once.
 */
export class TypedStreams {
  /** The first thing that was wrong. */
  fault: string | undefined;
  #ended = false;
  readonly #streams: Stream[] = [];
  /** Ranges that need not come: the client gave them up. Within one, it may stop anywhere, and goes on behind it. */
  readonly #givenUp: { stream: number; from: number; to: number }[] = [];

  get count(): number {
    return this.#streams.length;
  }

  /** A new stream's number. */
  open(): number {
    if (this.#streams.length >= maxStreams) throw new Error("too many streams for their symbols");
    return this.#streams.push({ typed: 0, next: 0, declared: 0, starts: undefined }) - 1;
  }

  /** The next bytes of a stream; they count once `took` says so. */
  next(stream: number, bytes: number): Uint8Array<ArrayBuffer> {
    const from = this.#stream(stream).typed;
    return Uint8Array.from({ length: bytes }, (_, index) => symbolAt(stream, from + index));
  }

  took(stream: number, bytes: number): void {
    this.#stream(stream).typed += bytes;
  }

  /** The client gives up its last `bytes`: so many of them as are under way may still come. */
  giveUp(stream: number, bytes: number): void {
    const to = this.#stream(stream).typed;
    if (bytes > 0) this.#givenUp.push({ stream, from: to - bytes, to });
  }

  /** The client gives up whatever has not come. */
  giveUpAll(stream: number): void {
    this.giveUp(stream, this.#stream(stream).typed);
  }

  /** The program has ended: what it did not take by now need not come. */
  ended(): void {
    this.#ended = true;
  }

  /** The PTY host has died: each stream begins anew at what its client declares from now on. */
  forgotten(): void {
    // Who dialled before may be let in only now.
    for (const stream of this.#streams) stream.starts = [stream.declared];
  }

  /** A client attaches with so many of its last bytes not known to be written. */
  declared(stream: number, pendingBytes: number): void {
    const each = this.#stream(stream);
    each.declared = each.typed - pendingBytes;
    each.starts?.push(each.declared);
  }

  /** A program took bytes. */
  arrived(bytes: Uint8Array): void {
    for (const byte of bytes) this.#arrivedOne(byte);
  }

  /** Whether everything that was typed and not given up has come. */
  get complete(): boolean {
    if (this.#ended) return true;
    return this.#streams.every(({ next, typed }, stream) => {
      const givenUp = this.#givenUp.some(
        (range) => range.stream === stream && range.to === typed && next >= range.from,
      );
      return next === typed || givenUp;
    });
  }

  describe(): string {
    return this.#streams.map(({ next, typed }, stream) => `stream ${stream}: ${next} of ${typed}`).join(", ");
  }

  #arrivedOne(byte: number): void {
    const number = Math.floor((byte - firstSymbol) / symbols);
    const stream = this.#stream(number);
    const at = this.#positionOf(number, stream, byte);
    if (at === undefined)
      this.fault ??= `stream ${number}: symbol ${(byte - firstSymbol) % symbols} came behind ${stream.next} of ${stream.typed}, starts ${stream.starts}, declared ${stream.declared}`;
    else stream.next = at + 1;
    stream.starts = undefined;
  }

  #positionOf(number: number, { next, typed, starts }: Stream, byte: number): number | undefined {
    // Behind a PTY host's death, what the old one had taken says nothing any more.
    const expected = starts ?? [next];
    const candidates = [...expected];
    for (const { stream, from, to } of this.#givenUp) {
      if (stream === number && [next, ...expected].some((at) => at >= from && at <= to)) candidates.push(to);
    }
    return candidates.find((at) => at < typed && symbolAt(number, at) === byte);
  }

  #stream(number: number): Stream {
    const stream = this.#streams[number];
    if (!stream) throw new Error(`there is no stream ${number}`);
    return stream;
  }
}

function symbolAt(stream: number, position: number): number {
  return firstSymbol + stream * symbols + (position % symbols);
}
