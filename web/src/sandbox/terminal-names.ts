import type { Terminal } from "@berth/protocol";

const kinds: Record<Terminal["kind"], string> = { claude: "Claude", shell: "Shell", exec: "Program" };

/** What runs in a terminal, as people call it. */
export function programName(terminal: Terminal): string {
  if (terminal.kind !== "exec") return kinds[terminal.kind];
  return terminal.argv?.[0]?.split("/").at(-1) ?? kinds.exec;
}

/** Names for tabs: the program, numbered where there are several of it. */
export function tabNames(terminals: readonly Terminal[]): ReadonlyMap<string, string> {
  const seen = new Map<string, number>();
  const names = new Map<string, string>();
  for (const terminal of terminals) {
    const program = programName(terminal);
    const count = (seen.get(program) ?? 0) + 1;
    seen.set(program, count);
    names.set(terminal.id, count === 1 ? program : `${program} ${count}`);
  }
  return names;
}
