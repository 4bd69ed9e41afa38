import { World } from "./world/world.ts";

/** Worlds that cases share, a few at a time; one in which a case failed is not used again. */
export class KeptWorlds {
  readonly #size: number;
  readonly #idle: World[] = [];
  readonly #queue: (() => void)[] = [];
  #used = 0;

  constructor(size: number) {
    this.#size = size;
  }

  /** Runs a case in a world of its own; what it throws says what the controller logged last. */
  async run(play: (world: World) => Promise<void>): Promise<void> {
    while (this.#used >= this.#size) await new Promise<void>((resolve) => this.#queue.push(resolve));
    this.#used += 1;
    try {
      await this.#play(play);
    } finally {
      this.#used -= 1;
      this.#queue.shift()?.();
    }
  }

  async close(): Promise<void> {
    for (const world of this.#idle.splice(0)) await world.close();
  }

  async #play(play: (world: World) => Promise<void>): Promise<void> {
    const world = this.#idle.pop() ?? (await World.open());
    try {
      await play(world);
      this.#idle.push(world);
    } catch (error) {
      const log = world.controller.log().split("\n").slice(-25).join("\n");
      await world.close();
      const what = error instanceof Error ? error.message : String(error);
      throw new Error(`${what}\nThe controller's last words:\n${log}`, { cause: error });
    }
  }
}
