import { performance } from "node:perf_hooks";
import { garbageCollection } from "@berth/base/node";

/** Garbage that is worth a collection, in bytes. */
const muchBytes = 1024 * 1024;
/** How long this process must have had little to do before it collects, in milliseconds, and how little: a share. */
const calmMs = 3000;
const calmShare = 0.1;

/** What a process does with its time, and its garbage. */
export interface Surroundings {
  /** The share of the time since it was asked last in which there was something to do. */
  busyShare(): number;
  collect(): void;
}

/**
 * Gives memory back to the system once screens have been put to rest. V8 collects when something is allocated, and keeps
 * the freed pages for the next flood: a sandbox in which nothing happens would never get back what its last flood took.
 * A collection that returns everything holds the loop up for some fifty milliseconds, so it waits for a calm moment.
 */
export class MemoryReturn {
  readonly #surroundings: Surroundings;
  #garbageBytes = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(surroundings: Surroundings = ofThisProcess()) {
    this.#surroundings = surroundings;
  }

  /** About so much is not used any more. */
  gaveUp(bytes: number): void {
    this.#garbageBytes += bytes;
    if (this.#garbageBytes < muchBytes || this.#timer) return;
    this.#surroundings.busyShare();
    this.#await();
  }

  #await(): void {
    this.#timer = setTimeout(() => this.#look(), calmMs);
    this.#timer.unref();
  }

  #look(): void {
    if (this.#surroundings.busyShare() > calmShare) {
      this.#await();
      return;
    }
    this.#timer = undefined;
    this.#garbageBytes = 0;
    this.#surroundings.collect();
  }
}

function ofThisProcess(): Surroundings {
  let last = performance.eventLoopUtilization();
  let collect: (() => void) | undefined;
  return {
    busyShare() {
      const before = last;
      last = performance.eventLoopUtilization();
      return performance.eventLoopUtilization(last, before).utilization;
    },
    collect() {
      collect ??= garbageCollection("all");
      collect();
    },
  };
}
