/** What a program says when it waits for its first key; it says nothing else before. */
export const readyWord = "berth-bench-is-ready";

const raw = "stty raw -echo";

/** Repeats each key as it comes: a raw terminal and the system's own `cat`. */
export const echoing: readonly string[] = ["/bin/sh", "-c", `${raw} && printf ${readyWord} && exec cat`];

/** Shows a file at each key, byte for byte. */
export function showing(path: string): readonly string[] {
  return ["/bin/sh", "-c", `${raw}; printf ${readyWord}; while [ "$(head -c 1)" ]; do cat "$0"; done`, path];
}

/** What an interrupted flood ends with. */
export const promptWord = "berth-bench-prompt> ";

/** At each key it floods until Ctrl-C, and then shows its prompt: what a shell does with a program that runs in it. */
export function interruptible(path: string): readonly string[] {
  const flood = `(trap - INT; while cat "$0"; do :; done)`;
  const wait = `head -c 1 >/dev/null`;
  const script = `stty -echo -icanon -opost min 1; trap : INT; printf ${readyWord}; while ${wait}; do ${flood}; printf '${promptWord}'; done`;
  return ["/bin/sh", "-c", script, path];
}
