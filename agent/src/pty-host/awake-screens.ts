import { limits } from "./limits.ts";

/**
 * The screens of a host that have a model, in the order of their last use. Models are put to rest for their memory, of
 * which a few take little, and what was just used is mostly used again: those stay a while longer.
 */
export class AwakeScreens {
  readonly #onRest: (garbageBytes: number) => void;
  readonly #awake = new Set<object>();

  /** `onRest` hears of each model that is given up, and its size. */
  constructor(onRest: (garbageBytes: number) => void = () => {}) {
    this.#onRest = onRest;
  }

  used(screen: object): void {
    this.#awake.delete(screen);
    this.#awake.add(screen);
  }

  /** Whether a screen that nobody has used for so long keeps its model. */
  mayStay(screen: object, quietMs: number): boolean {
    return quietMs < limits.lingerMs && [...this.#awake].toReversed().slice(0, limits.lingering).includes(screen);
  }

  rested(screen: object, garbageBytes: number): void {
    this.#awake.delete(screen);
    this.#onRest(garbageBytes);
  }

  /** There is no such screen any more. */
  ended(screen: object): void {
    this.#awake.delete(screen);
  }
}
