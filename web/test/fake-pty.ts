import {
  attachParams,
  attachQuerySchema,
  newId,
  parseClientMessage,
  type ServerMessage,
  type Terminal,
  type TerminalKind,
} from "@berth/protocol";
import { Value } from "typebox/value";
import type { WebSocket } from "ws";

interface Viewer {
  readonly socket: WebSocket;
  readonly stream: string;
  inputOffset: number;
}

/** A terminal whose program is a line editor that echoes; `exit` ends it, `bell` rings, `title X` names it. */
export class FakePty {
  readonly terminal: Terminal;
  readonly #viewers = new Set<Viewer>();
  readonly #streams = new Map<string, number>();
  readonly #changed: () => void;
  #output = Buffer.alloc(0);
  #typed = "";

  constructor(sandboxId: string, kind: TerminalKind, changed: () => void) {
    this.#changed = changed;
    this.terminal = {
      id: newId("terminal"),
      sandboxId,
      kind,
      state: "running",
      exit: null,
      cols: 80,
      rows: 24,
      epoch: 1,
      offset: 0,
      title: "",
      attention: null,
      conversationId: kind === "claude" ? crypto.randomUUID() : null,
      argv: null,
      cwd: null,
      createdAt: new Date().toISOString(),
    };
    this.print(kind === "claude" ? `${greeting}\r\n> ` : "$ ");
  }

  /** Everything that was typed, as the program read it. */
  get typed(): string {
    return this.#typed;
  }

  print(text: string): void {
    const bytes = Buffer.from(text);
    this.#output = Buffer.concat([this.#output, bytes]);
    this.terminal.offset = this.#output.length;
    for (const { socket } of this.#viewers) socket.send(bytes);
  }

  attach(socket: WebSocket, search: URLSearchParams): void {
    const query = Value.Convert(attachQuerySchema, Object.fromEntries(search));
    if (!Value.Check(attachQuerySchema, query)) {
      socket.close(1008);
      return;
    }
    const params = attachParams(this.terminal.id, query);
    const stream = params.input?.stream ?? "";
    const inputOffset = this.#streams.get(stream) ?? params.input?.offset ?? 0;
    const viewer: Viewer = { socket, stream, inputOffset };
    if (params.cols && params.rows && this.#viewers.size === 0) this.#resize(params.cols, params.rows);
    const exact = params.from?.epoch === this.terminal.epoch && params.from.offset <= this.#output.length;
    const offset = exact ? (params.from?.offset ?? 0) : this.#output.length;
    const { epoch, cols, rows } = this.terminal;
    const mode = exact ? "exact" : "snapshot";
    tell(socket, { type: "attached", epoch, offset, mode, cols, rows, windowBytes: 262_144, inputOffset });
    socket.send(exact ? this.#output.subarray(offset) : Buffer.concat([Buffer.from("\x1bc"), this.#output]));
    this.#viewers.add(viewer);
    socket.on("close", () => this.#viewers.delete(viewer));
    socket.on("message", (data: Buffer, isBinary) => {
      if (isBinary) this.#take(viewer, data);
      else this.#control(data.toString());
    });
    if (this.terminal.state === "exited") this.#sayExit(socket);
  }

  /** Cuts all viewers, as a broken network does. */
  cut(): void {
    for (const { socket } of this.#viewers) socket.terminate();
  }

  /** Another viewer has taken the terminal's size. */
  resizeByOther(cols: number, rows: number): void {
    this.#resize(cols, rows);
  }

  #control(text: string): void {
    const message = parseClientMessage(text);
    if (message?.type === "resize") this.#resize(message.cols, message.rows);
  }

  #resize(cols: number, rows: number): void {
    Object.assign(this.terminal, { cols, rows });
    for (const { socket } of this.#viewers) tell(socket, { type: "resized", cols, rows });
  }

  #take(viewer: Viewer, bytes: Buffer): void {
    viewer.inputOffset += bytes.length;
    this.#streams.set(viewer.stream, viewer.inputOffset);
    tell(viewer.socket, { type: "inputAck", offset: viewer.inputOffset });
    this.#typed += bytes.toString();
    this.print(bytes.toString().replaceAll("\r", "\r\n"));
    if (bytes.toString().endsWith("\r")) this.#run(this.#typed.slice(0, -1).split("\r").at(-1) ?? "");
  }

  #run(command: string): void {
    if (command === "exit") {
      Object.assign(this.terminal, { state: "exited", exit: { code: 0, signal: null } });
      for (const { socket } of this.#viewers) this.#sayExit(socket);
      this.#changed();
      return;
    }
    if (command === "bell") this.print("\x07");
    if (command.startsWith("title ")) this.print(`\x1b]0;${command.slice(6)}\x07`);
    this.print(this.terminal.kind === "claude" ? `\x1b[2mYou said: ${command}\x1b[0m\r\n> ` : "$ ");
  }

  #sayExit(socket: WebSocket): void {
    tell(socket, { type: "exit", code: this.terminal.exit?.code ?? null, signal: null });
    socket.close(1000);
  }
}

function tell(socket: WebSocket, message: ServerMessage): void {
  socket.send(JSON.stringify(message));
}

const greeting = [
  "\x1b[36m╭──────────────────────────────────────────╮\x1b[0m",
  "\x1b[36m│\x1b[0m \x1b[1mWelcome to Claude Code\x1b[0m                   \x1b[36m│\x1b[0m",
  "\x1b[36m│\x1b[0m \x1b[2mcwd: /workspace\x1b[0m   naïve 你好 👩‍💻          \x1b[36m│\x1b[0m",
  "\x1b[36m╰──────────────────────────────────────────╯\x1b[0m",
  "\x1b[32mgreen\x1b[0m \x1b[31mred\x1b[0m \x1b[33myellow\x1b[0m \x1b[34mblue\x1b[0m \x1b[35mmagenta\x1b[0m https://example.org/docs",
].join("\r\n");
