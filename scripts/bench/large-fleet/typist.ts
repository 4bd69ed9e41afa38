import { setTimeout as wait } from "node:timers/promises";
import type { Address } from "../terminals/address.ts";
import { MeasuringViewer } from "../terminals/measuring-viewer.ts";

/** From one key to the next, in milliseconds: five a second, and no two people in step. */
const keyMs = { least: 100, most: 300 } as const;

/** Somebody at a terminal who types as people do, and sees each key appear. */
export class Typist {
  readonly #viewer: MeasuringViewer;
  readonly #seen: { resolve(): void };

  private constructor(viewer: MeasuringViewer, seen: { resolve(): void }) {
    this.#viewer = viewer;
    this.#seen = seen;
  }

  static async open(address: Address): Promise<Typist> {
    const seen = { resolve: () => {} };
    const viewer = await MeasuringViewer.ready(address, { onOutput: () => seen.resolve() });
    return new Typist(viewer, seen);
  }

  /** Types for so long; answers the milliseconds that each key took. */
  async type(forMs: number): Promise<number[]> {
    const times: number[] = [];
    for (const end = performance.now() + forMs; performance.now() < end; ) {
      await wait(keyMs.least + Math.random() * (keyMs.most - keyMs.least));
      const shown = Promise.withResolvers<void>();
      this.#seen.resolve = shown.resolve;
      const begun = performance.now();
      this.#viewer.send("x");
      await this.#viewer.until(shown.promise, "a key");
      times.push(performance.now() - begun);
    }
    return times;
  }

  close(): void {
    this.#viewer.close();
  }
}
