import type { Endpoint } from "./network.ts";
import type { SimulatedTime } from "./time.ts";

/** A process of the simulated world: what it owns ends with it, at whatever instruction it was. */
export class SimulatedProcess {
  readonly name: string;
  readonly endpoints = new Set<Endpoint>();
  readonly #time: SimulatedTime;
  #alive = true;

  constructor(name: string, time: SimulatedTime) {
    this.name = name;
    this.#time = time;
  }

  get alive(): boolean {
    return this.#alive;
  }

  /** Runs code as this process; what it sets off before it next waits for the world is this process's too. */
  run(action: () => void): void {
    this.#time.current = this;
    action();
  }

  /** Dies as of SIGKILL: no code of it runs again, and its peers hear of their connections' end. */
  kill(): void {
    this.#alive = false;
    this.#time.forget(this);
    for (const endpoint of [...this.endpoints]) endpoint.die();
  }
}
