import { errorText, type Log } from "../../log.ts";
import { limits } from "../limits.ts";
import type { Segment, Segments } from "../segments.ts";
import { recordingNowMs } from "./times.ts";

/** How much is kept: of one terminal, of all, and for how long. */
export type RecordingBounds = Readonly<Record<"recordingBytes" | "allRecordingsBytes" | "recordingAgeMs", number>>;

/** The recordings of all terminals together: whether there are any, and how much of them is kept. */
export class RecordingShelf {
  readonly #log: Log;
  readonly #bounds: RecordingBounds;
  readonly #recordings = new Set<Segments>();
  /** Whether terminals are recorded; told by `PtyHost`. */
  on = true;
  #told = false;

  constructor(log: Log, bounds: RecordingBounds = limits) {
    this.#log = log;
    this.#bounds = bounds;
  }

  add(segments: Segments): void {
    this.#recordings.add(segments);
  }

  remove(segments: Segments): void {
    this.#recordings.delete(segments);
  }

  /** Keeps a terminal's output on disk, and that of all, within their bounds. Never rejects. */
  async trim(segments: Segments): Promise<void> {
    try {
      if (this.on) await this.#trimRecording(segments);
      else await segments.deleteBeyondRing();
    } catch (error) {
      if (!this.#told) this.#log.error("a recording could not be shortened", { reason: errorText(error) });
      this.#told = true;
    }
  }

  /** Looks at all of them; of a terminal that is silent nobody else does. */
  async sweep(): Promise<void> {
    for (const segments of this.#recordings) await this.trim(segments);
  }

  async #trimRecording(segments: Segments): Promise<void> {
    for (
      let oldest = segments.oldestSpare;
      oldest && this.#isTooMuch(segments, oldest);
      oldest = segments.oldestSpare
    ) {
      await dropOldest(segments);
    }
    await this.#trimAll();
  }

  async #trimAll(): Promise<void> {
    let bytes = 0;
    for (const segments of this.#recordings) bytes += segments.diskBytes;
    while (bytes > this.#bounds.allRecordingsBytes) {
      const oldest = this.#withOldest();
      if (!oldest) return;
      const before = oldest.diskBytes;
      const dropped = dropOldest(oldest);
      bytes -= before - oldest.diskBytes;
      await dropped;
    }
  }

  #isTooMuch(segments: Segments, oldest: Segment): boolean {
    const { recordingBytes, recordingAgeMs } = this.#bounds;
    return segments.diskBytes > recordingBytes || oldest.lastMs < recordingNowMs() - recordingAgeMs;
  }

  #withOldest(): Segments | undefined {
    let found: { segments: Segments; lastMs: number } | undefined;
    for (const segments of this.#recordings) {
      const lastMs = segments.oldestSpare?.lastMs;
      if (lastMs !== undefined && (!found || lastMs < found.lastMs)) found = { segments, lastMs };
    }
    return found?.segments;
  }
}

/** Frees some space on a disk that is full, as far as there is anything to spare. */
export async function yieldSpace(segments: Segments): Promise<void> {
  const wantedBytes = segments.diskBytes - limits.yieldedBytes;
  while (segments.oldestSpare && segments.diskBytes > wantedBytes) await dropOldest(segments);
}

async function dropOldest(segments: Segments): Promise<void> {
  const oldest = segments.oldestSpare;
  await segments.delete((segment) => segment === oldest);
}
