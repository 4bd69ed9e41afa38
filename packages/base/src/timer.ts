import type { Clock } from "./clock.ts";

/** Nobody sees it. One for all: to make an error takes longer than all the rest of a timer. */
const calledOff = new Error("called off");

/** Runs an action once, so many milliseconds from now. Answers what calls it off; after the action that does nothing. */
export function after(clock: Clock, ms: number, action: () => void): () => void {
  const off = new AbortController();
  clock.sleep(ms, off.signal).then(action, () => {});
  return () => off.abort(calledOff);
}

/** Repeats an action every so many milliseconds, the first time after one wait. Answers what calls it off. */
export function every(clock: Clock, ms: number, action: () => void): () => void {
  let callOff = () => {};
  const arm = () => {
    callOff = after(clock, ms, () => {
      arm();
      action();
    });
  };
  arm();
  return () => callOff();
}
