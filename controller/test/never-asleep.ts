import type { SleepKnowledge } from "../src/sandboxes/module.ts";
import { notIdle } from "../src/sandboxes/record.ts";
import type { Sleepers } from "../src/sleep/waking.ts";

/** Of sandboxes that never sleep: nobody has to wake one. */
export const neverAsleep: Sleepers = {
  awaken: async () => undefined,
  hold: () => () => {},
  isToSleep: async () => false,
};

/** Nothing is known of the use of sandboxes, and none may sleep. */
export const unknownUse: SleepKnowledge = {
  ask: async () => ({ code: "in_use", message: "Nothing is known of its use." }),
  idle: () => notIdle,
};

/** For who is to reach only sandboxes that are ready. */
export const notAwaited = () => Promise.reject(new Error("nobody is to wait for a sandbox here"));
