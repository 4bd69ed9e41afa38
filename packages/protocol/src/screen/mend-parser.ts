/** As much of a terminal of xterm.js, with or without a display, as is needed here. */
interface Terminal {
  readonly cols: number;
  readonly buffer: { readonly active: { readonly cursorX: number; readonly cursorY: number; readonly length: number } };
  readonly parser: {
    registerCsiHandler(
      id: { prefix?: string; final: string },
      handler: (params: (number | number[])[]) => boolean,
    ): unknown;
  };
}

/** What is mended of xterm's parser, which its public interface does not reach. */
interface InputHandler {
  parse(data: unknown, promiseResult?: boolean): unknown;
  eraseInDisplay(params: { params: number[]; length: number }, respectProtect: boolean): boolean;
  _parser: { reset(): void };
}

/**
 * Keeps what a program writes from stopping its terminal. An error that xterm's parser throws would leave its queue of
 * writes standing for good, and end a process that has no display: now it costs the rest of that write, and `onFault` is
 * told. The PTY host and the console both use it, since both have to show the same.
 */
export function mendParser(terminal: Terminal, onFault: () => void = () => {}): void {
  const handler = inputHandlerOf(terminal);
  const parse = handler.parse.bind(handler);
  handler.parse = (data, promiseResult) => {
    try {
      return parse(data, promiseResult);
    } catch {
      handler._parser.reset();
      onFault();
      return undefined;
    }
  };
  mendEraseAbove(terminal, handler);
}

/**
 * xterm.js 6.0 throws at "erase above" (CSI 1 J, CSI ? 1 J) in the last cell of a buffer without scrollback, since it
 * looks at the line below. From there it means the whole screen, which can be erased.
 */
function mendEraseAbove(terminal: Terminal, handler: InputHandler): void {
  for (const id of [{ final: "J" }, { prefix: "?", final: "J" }]) {
    terminal.parser.registerCsiHandler(id, (params) => {
      const { cursorX, cursorY, length } = terminal.buffer.active;
      const inLastCell = params[0] === 1 && cursorX + 1 >= terminal.cols && cursorY + 1 >= length;
      if (inLastCell) handler.eraseInDisplay({ params: [2], length: 1 }, "prefix" in id);
      return inLastCell;
    });
  }
}

function inputHandlerOf(terminal: object): InputHandler {
  const core: unknown = "_core" in terminal ? terminal._core : undefined;
  const handler = typeof core === "object" && core !== null && "_inputHandler" in core ? core._inputHandler : undefined;
  if (!isInputHandler(handler)) throw new Error("this version of xterm keeps its parser elsewhere");
  return handler;
}

function isInputHandler(value: unknown): value is InputHandler {
  return (
    typeof value === "object" &&
    value !== null &&
    "parse" in value &&
    typeof value.parse === "function" &&
    "eraseInDisplay" in value &&
    typeof value.eraseInDisplay === "function" &&
    "_parser" in value
  );
}
