import type { Clock } from "@berth/base";
import type { Answer } from "../http/answer.ts";

interface Known {
  readonly atMs: number;
  readonly answer: Answer;
}

/** Answers that were given before, for rules that have somebody answered as of some time ago. */
export class StaleAnswers {
  readonly #clock: Clock;
  /** By rule, caller and call; the oldest first. */
  readonly #known = new Map<string, Known[]>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Keeps the present answer, and answers the one of `ms` ago; the oldest there is when that is younger. */
  exchange(ruleId: string, caller: string, call: string, present: Answer, ms: number): Answer {
    const key = JSON.stringify([ruleId, caller, call]);
    const now = this.#clock.now();
    const known = [...(this.#known.get(key) ?? []), { atMs: now, answer: present }];
    // Of those that are old enough only the youngest can be wanted again.
    while (known[1] && known[1].atMs <= now - ms) known.shift();
    this.#known.set(key, known);
    return known[0]?.answer ?? present;
  }

  clear(): void {
    this.#known.clear();
  }
}
