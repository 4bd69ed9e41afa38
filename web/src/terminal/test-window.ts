import type { AttachConnection, TerminalSize } from "@berth/protocol/viewer";
import type { Screen } from "./screen.ts";

/**
 * What `window.__berth` offers to tests in a browser, and to whoever looks for a fault. Terminals are named by id; one
 * that is not shown on this page answers undefined. It reads, and types as a person could: it opens nothing else.
 */
export interface TestWindow {
  /** Ids of the terminals that are mounted on this page, shown or behind another tab. */
  terminals(): string[];
  /** The lines of the screen joined by "\n", each without its trailing blanks; whatever draws it. */
  screenText(terminalId: string): string | undefined;
  /** Types as if by keyboard. */
  type(terminalId: string, data: string): void;
  /** `phase` of the connection (see `attach/state.ts`) and its counts in bytes. */
  connection(
    terminalId: string,
  ): { phase: string; epoch: number | undefined; receivedOffset: number; pendingInputBytes: number } | undefined;
  /** The size of the terminal as it is shown here, in cells. */
  size(terminalId: string): TerminalSize | undefined;
  renderer(terminalId: string): "webgl" | "dom" | undefined;
}

declare global {
  interface Window {
    __berth?: TestWindow;
  }
}

interface Mounted {
  readonly screen: Screen;
  readonly connection: AttachConnection;
}

const mounted = new Map<string, Mounted>();

/** Makes a terminal known; answers how to forget it. */
export function exposeTerminal(terminalId: string, terminal: Mounted): () => void {
  mounted.set(terminalId, terminal);
  window.__berth = testWindow;
  return () => {
    if (mounted.get(terminalId) === terminal) mounted.delete(terminalId);
  };
}

const testWindow: TestWindow = {
  terminals: () => [...mounted.keys()],
  screenText: (id) => mounted.get(id)?.screen.text(),
  type: (id, data) => mounted.get(id)?.screen.input(data),
  connection: (id) => {
    const connection = mounted.get(id)?.connection;
    if (!connection) return undefined;
    return {
      phase: connection.state.phase,
      epoch: connection.epoch,
      receivedOffset: connection.receivedOffset,
      pendingInputBytes: connection.pendingInputBytes,
    };
  },
  size: (id) => mounted.get(id)?.screen.shownSize,
  renderer: (id) => mounted.get(id)?.screen.renderer,
};
