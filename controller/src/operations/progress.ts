import type { Failure, Step, StepName } from "@berth/protocol";

/**
 * The steps of an operation when one of them begins or goes on. Those before it that never began were not needed; those
 * that ran have succeeded. Work that the operation does not list, such as cloning in a start, counts as its first step.
 * Pure.
 */
export function stepBegun(
  steps: readonly Step[],
  name: StepName,
  detail: string | null,
  now: Date,
  progress: number | null = null,
): Step[] {
  const index = Math.max(
    0,
    steps.findIndex((step) => step.name === name),
  );
  return steps.map((step, at) => {
    if (at < index) return passed(step, now);
    if (at > index)
      return step.state === "pending" ? step : { ...step, state: "pending", startedAt: null, finishedAt: null };
    return step.state === "running"
      ? { ...step, detail, progress }
      : {
          ...step,
          state: "running",
          detail,
          progress,
          startedAt: step.startedAt ?? now.toISOString(),
          finishedAt: null,
        };
  });
}

/** The steps of an operation that has succeeded. */
export function allDone(steps: readonly Step[], now: Date): Step[] {
  return steps.map((step, at) =>
    at === steps.length - 1 && step.state === "pending"
      ? { ...step, state: "succeeded", detail: null, startedAt: now.toISOString(), finishedAt: now.toISOString() }
      : passed(step, now),
  );
}

/** The steps of an operation that has failed at the one that runs, or at the first that had not begun. */
export function failedAt(steps: readonly Step[], name: StepName | undefined, failure: Failure, now: Date): Step[] {
  const index = steps.findIndex((step) => (name ? step.name === name : step.state === "running"));
  return steps.map((step, at) => {
    if (at < index) return passed(step, now);
    if (at > index) return step;
    return {
      ...step,
      state: "failed",
      detail: failure.message,
      startedAt: step.startedAt ?? now.toISOString(),
      finishedAt: now.toISOString(),
    };
  });
}

/**
 * The steps of an operation that is given up: the one that ran was not done, and has not failed either; those that never
 * began stay so. Pure.
 */
export function givenUp(steps: readonly Step[], now: Date): Step[] {
  return steps.map((step) =>
    step.state === "running" ? { ...step, state: "skipped", detail: "cancelled", finishedAt: now.toISOString() } : step,
  );
}

function passed(step: Step, now: Date): Step {
  if (step.state === "running")
    return { ...step, state: "succeeded", detail: null, progress: 1, finishedAt: now.toISOString() };
  return step.state === "pending" ? { ...step, state: "skipped" } : step;
}
