import type { KeyStream } from "../session.ts";

/**
 * Puts the user's terminal into raw mode; answers what takes it back. That runs at the latest when the process ends,
 * however it ends, but for SIGKILL.
 */
export function rawTerminal(stdin: KeyStream, restore: () => void): () => void {
  let done = false;
  const release = () => {
    if (done) return;
    done = true;
    process.off("exit", release);
    try {
      stdin.setRawMode?.(false);
    } finally {
      stdin.pause();
      restore();
    }
  };
  process.once("exit", release);
  stdin.setRawMode?.(true);
  return release;
}
