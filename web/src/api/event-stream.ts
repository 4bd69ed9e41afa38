import { backoffMs } from "@berth/base";
import { parseJson } from "@berth/protocol";

/** Where an event stream is: asked for, flowing, or cut and being asked for again. */
export type StreamState = "connecting" | "live" | "away";

export interface EventStreamOptions {
  url: string;
  /** The names of the events that are wanted. */
  names: readonly string[];
  /** One event: its name, and its data as JSON, unchecked. */
  onEvent: (name: string, data: unknown) => void;
  /** `resumed`: the stream goes on behind the last event; otherwise it begins anew, and what went before is unknown. */
  onLive: (resumed: boolean) => void;
  onAway?: () => void;
  /** For tests. */
  open?: (url: string) => EventSource;
}

/**
 * Server-sent events that come back by themselves. The browser repeats a cut stream with `Last-Event-ID`; a refused one
 * (the controller restarts, a proxy answers 502) it gives up, and this asks anew after a while.
 */
export class EventStream {
  readonly #options: EventStreamOptions;
  #source: EventSource | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #failures = 0;
  #closed = false;

  constructor(options: EventStreamOptions) {
    this.#options = options;
    this.#open();
  }

  /** Asks at once if the stream is waiting to be asked for. */
  poke(): void {
    if (this.#closed || this.#timer === undefined) return;
    this.#open();
  }

  close(): void {
    this.#closed = true;
    this.#release();
  }

  #open(): void {
    this.#release();
    const source = (this.#options.open ?? ((url) => new EventSource(url)))(this.#options.url);
    this.#source = source;
    let opened = false;
    source.onopen = () => {
      this.#failures = 0;
      this.#options.onLive(opened);
      opened = true;
    };
    source.onerror = () => {
      this.#options.onAway?.();
      if (this.#closed || source.readyState !== EventSource.CLOSED) return;
      this.#source = undefined;
      this.#timer = setTimeout(() => this.#open(), backoffMs(this.#failures, { firstMs: 1000, maxMs: 10_000 }));
      this.#failures += 1;
    };
    for (const name of this.#options.names) {
      source.addEventListener(name, (event: MessageEvent<unknown>) => {
        if (typeof event.data === "string") this.#options.onEvent(name, parseJson(event.data));
      });
    }
  }

  #release(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#source?.close();
    this.#source = undefined;
  }
}
