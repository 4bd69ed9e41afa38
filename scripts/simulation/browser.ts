import { attachTerminal, parseServerMessage, routeUrl } from "@berth/protocol";
import { AttachConnection, type AttachSocket, type AttachState, type SocketEvents } from "@berth/protocol/viewer";
import { SimulatedProcess } from "./process.ts";
import type { SimulatedTerminal } from "./terminal.ts";
import { SimulatedWebSocket } from "./web-socket.ts";
import type { World } from "./world.ts";

/** What every snapshot begins with, and no output here does. */
const fullReset = "\x1bc\x1b[3J";

/** A page in a browser with the console's real connection, and a screen that checks each byte. */
export class Browser {
  readonly process: SimulatedProcess;
  readonly terminal: SimulatedTerminal;
  readonly connection: AttachConnection;
  readonly #world: World;
  readonly #stream: number;
  #streams = 0;
  /** What the screen has, independently of what the connection counts. */
  #epoch = 0;
  #offset = 0;
  #digesting: (() => void)[] = [];
  state: AttachState = { phase: "suspended" };
  snapshots = 0;
  exactBytes = 0;

  constructor(world: World, terminal: SimulatedTerminal, number: number) {
    this.#world = world;
    this.terminal = terminal;
    this.#stream = terminal.typed.open();
    this.process = new SimulatedProcess(`browser ${number}`, world.time);
    this.connection = new AttachConnection({
      address: (query) => routeUrl(attachTerminal, { params: { id: terminal.id }, query }),
      openSocket: (path, events) => this.#dial(path, events),
      screen: {
        write: (bytes, digested) => this.#write(Buffer.from(bytes), digested),
        resized: () => {},
      },
      verdict: async () => "retry",
      onState: (state) => {
        this.state = state;
        // What had not come to a program that ended is not for the next one.
        if (state.phase === "exited") terminal.typed.giveUpAll(this.#stream);
        world.note(`${this.process.name} is ${state.phase}`);
      },
      clock: world.time,
      random: () => world.random.next(),
      newStreamId: () => `b${number}_${++this.#streams}`,
    });
  }

  /** The page goes: what was typed and is not at the PTY by now need not come. */
  leave(): void {
    this.terminal.typed.giveUp(this.#stream, this.connection.pendingInputBytes);
    this.process.kill();
  }

  /** Bytes that the screen has not digested are under way to it or here. */
  get undigested(): number {
    return this.#digesting.length;
  }

  open(): void {
    this.process.run(() => this.connection.open());
  }

  type(bytes: number): void {
    const { typed } = this.terminal;
    this.process.run(() => {
      if (this.connection.type(typed.next(this.#stream, bytes)) === "taken") typed.took(this.#stream, bytes);
    });
  }

  /** The user answers what becomes of input that was held after a long cut. */
  answerHeld(send: boolean): void {
    if (this.state.phase !== "holding") return;
    if (!send) this.terminal.typed.giveUp(this.#stream, this.connection.pendingInputBytes);
    this.process.run(() => (send ? this.connection.sendHeld() : this.connection.discardHeld()));
  }

  digest(count = Number.POSITIVE_INFINITY): void {
    for (const digested of this.#digesting.splice(0, count)) this.process.run(digested);
  }

  fit(cols: number, rows: number): void {
    this.process.run(() => this.connection.fit({ cols, rows }));
  }

  /** Its sandbox is told to have stopped, or to run again. */
  suspendOrOpen(): void {
    this.process.run(() => {
      if (this.state.phase === "suspended" || this.state.phase === "exited") this.connection.open();
      else this.connection.suspend();
    });
  }

  poke(): void {
    this.process.run(() => this.connection.poke());
  }

  /** It was told that the program ended, and another one runs: the console hears of that by the fleet's events. */
  get missedNextLife(): boolean {
    return this.state.phase === "exited" && this.#epoch < this.terminal.truth.epoch;
  }

  /** Whether it has all that there is, and all that it typed has come. */
  get isSettled(): boolean {
    const { truth } = this.terminal;
    const { phase } = this.state;
    // One that was told of the end by a PTY host which died before it had written that down has more than is left.
    const isAtEnd = this.#offset === truth.endOffset || (phase === "exited" && this.#offset === truth.allBytes);
    const shown = this.#epoch === truth.epoch && isAtEnd && this.#digesting.length === 0;
    return shown && (phase === "exited" || (phase === "connected" && this.connection.pendingInputBytes === 0));
  }

  describe(): string {
    const { truth } = this.terminal;
    const { phase } = this.state;
    const pending = this.connection.pendingInputBytes;
    return `${this.process.name}: ${phase}, at ${this.#epoch}:${this.#offset} of ${truth.epoch}:${truth.endOffset}, ${pending} bytes of input pending`;
  }

  #dial(path: string, events: SocketEvents): AttachSocket {
    this.terminal.typed.declared(this.#stream, this.connection?.pendingInputBytes ?? 0);
    const from = new URL(path, "http://berth").searchParams.get("from")?.split(":").map(Number);
    const line: { socket: SimulatedWebSocket | undefined; closed: boolean } = { socket: undefined, closed: false };
    this.#world.dial(this.process, (controller) => {
      if (line.closed) return;
      if (!controller) {
        events.onClose(1006, "");
        return;
      }
      const { near, far } = SimulatedWebSocket.pair(this.#world.network, this.process, controller.process);
      line.socket = near;
      near.on("message", (data: Buffer, binary: boolean) => {
        // What a socket still brings that the connection has let go of is nobody's.
        if (!binary && !line.closed) this.#check(data.toString(), from);
        events.onMessage(binary ? new Uint8Array(data).buffer : data.toString());
      });
      near.on("close", (code: number, reason: Buffer) => events.onClose(code, reason.toString()));
      controller.process.run(() => controller.acceptViewer(far, path));
    });
    return {
      send: (data) => line.socket?.send(data),
      close: () => {
        line.closed = true;
        line.socket?.close(1000);
      },
    };
  }

  /** Resume is exact whenever the ring still has the bytes, and the PTY host that had them lives. */
  #check(text: string, from: number[] | undefined): void {
    const message = parseServerMessage(text);
    if (!message) throw new Error(`not a message of the protocol: ${text}`);
    this.#world.note(`${this.process.name} is told ${text}`);
    if (message.type === "error" && message.code !== "sandbox_not_ready")
      this.#world.failed(new Error(`the viewer was refused: ${message.detail}`));
    if (message.type !== "attached" || message.mode === "exact" || this.#world.ptyHostDeaths > 0) return;
    const [epoch, offset = 0] = from ?? [];
    const { truth } = this.terminal;
    if (epoch === truth.epoch && truth.endOffset - offset <= this.#world.ringBytes) {
      this.#world.failed(new Error(`a snapshot although the ring has ${epoch}:${offset}`));
    }
  }

  #write(bytes: Buffer, digested: () => void): void {
    this.#digesting.push(digested);
    const { epoch = 0, receivedOffset } = this.connection;
    const truth = this.terminal.truthOf(epoch);
    if (bytes.toString("latin1", 0, fullReset.length) === fullReset) {
      this.snapshots += 1;
      this.#epoch = epoch;
      this.#offset = receivedOffset;
      const fault = truth?.faultOfSnapshot(bytes.toString(), receivedOffset, this.#world.ptyHostDeaths > 0);
      if (fault) this.#world.failed(new Error(`a snapshot for ${epoch}:${receivedOffset} ${fault}`));
      return;
    }
    const at = `${epoch}:${this.#offset}`;
    if (epoch !== this.#epoch) throw new Error(`live bytes of epoch ${epoch} behind ${this.#epoch}`);
    if (!truth?.has(this.#offset, bytes)) throw new Error(`${bytes.byteLength} bytes at ${at} are not the program's`);
    this.#offset += bytes.byteLength;
    this.exactBytes += bytes.byteLength;
    if (receivedOffset !== this.#offset) throw new Error(`the connection counts ${receivedOffset} at ${at}`);
  }
}
