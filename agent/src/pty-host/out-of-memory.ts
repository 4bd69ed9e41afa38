import { writeFileSync } from "node:fs";

/**
 * A tenth of the memory is added to what a program of a terminal uses when the kernel, out of memory, looks for the
 * largest. That is more than the PTY host ever uses, and so little that a container of Docker which ate the memory is
 * still found before an innocent shell. Taking from the host's own score instead is a privilege that no process of an
 * unprivileged container has.
 */
const score = 100;

/** Has the kernel, out of memory, end this program, or what it starts later, before the PTY host and the agent. */
export function killFirst(pid: number): void {
  try {
    writeFileSync(`/proc/${pid}/oom_score_adj`, String(score));
  } catch {
    // It has ended, or is not ours to say: sudo, say, was the program.
  }
}
