import { closeSync, constants, openSync } from "node:fs";
import { rename } from "node:fs/promises";
import { type AddressInfo, connect, createServer, type NetConnectOpts, type Server, type Socket } from "node:net";
import { join } from "node:path";

/** After so long, in milliseconds, a connection to be cut in the middle of something is cut while nothing is under way. */
const idleCutMs = 200;
/** Time for the half that is still let through to leave. */
const halfMs = 5;

/**
 * What stands between two programs and can fail as a network does: connections are reset in the middle of what they carry,
 * stand still, or vanish without a word.
 */
export class FaultyRelay {
  readonly #server: Server;
  readonly #connections = new Set<Connection>();
  #target: NetConnectOpts | undefined;
  #state: "there" | "still" | "gone" = "there";
  #dispose: () => Promise<void> = async () => {};

  private constructor() {
    this.#server = createServer({ pauseOnConnect: true }, (near) => this.#join(near));
  }

  /** One at a port of loopback, which leads nowhere until `leadTo`. */
  static async start(): Promise<FaultyRelay> {
    const relay = new FaultyRelay();
    await relay.#listen({ host: "127.0.0.1", port: 0 });
    return relay;
  }

  /**
   * One in the place of a Unix socket, which is renamed for as long. Who is connected already stays so; who connects
   * from now on comes through here.
   */
  static async inPlaceOf(folder: string, name: string): Promise<FaultyRelay> {
    const relay = new FaultyRelay();
    // A socket's path may have 107 bytes at most.
    const handle = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY);
    const short = `/proc/self/fd/${handle}`;
    const aside = `${name}.aside`;
    await rename(join(folder, name), join(folder, aside));
    relay.#target = { path: `${short}/${aside}` };
    relay.#dispose = async () => {
      await rename(join(folder, aside), join(folder, name));
      closeSync(handle);
    };
    await relay.#listen({ path: `${short}/${name}` });
    return relay;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Connections that there are. */
  get connections(): number {
    return this.#connections.size;
  }

  /** Where connections lead from now on: a port of loopback. */
  leadTo(port: number): void {
    this.#target = { host: "127.0.0.1", port };
  }

  /** Resets all connections, or those that a choice picks, each in the middle of the next thing that it carries. */
  cut(isMeant: () => boolean = () => true): void {
    for (const connection of this.#connections) if (isMeant()) connection.cut();
  }

  /** Nothing moves any more; what was sent arrives once it goes on, and so do new connections. */
  standStill(): void {
    this.#state = "still";
    for (const connection of this.#connections) connection.hold();
  }

  /** Takes everything away: nothing that is sent arrives ever, nobody is told, and new connections get no answer. */
  vanish(): void {
    this.#state = "gone";
    for (const connection of this.#connections) connection.mute();
  }

  /** It is there again. Connections that had vanished stay mute, as those to a former address do. */
  comeBack(): void {
    const wasStill = this.#state === "still";
    this.#state = "there";
    if (wasStill) for (const connection of this.#connections) connection.goOn();
  }

  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const connection of this.#connections) connection.end();
    await closed;
    await this.#dispose();
  }

  #join(near: Socket): void {
    if (!this.#target) {
      near.destroy();
      return;
    }
    const connection = new Connection(near, connect(this.#target), () => this.#connections.delete(connection));
    this.#connections.add(connection);
    if (this.#state === "still") connection.hold();
    if (this.#state === "gone") connection.mute();
  }

  #listen(where: { host: string; port: number } | { path: string }): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(where, resolve);
    });
  }
}

/** Two sockets of which each gets what the other sends. */
class Connection {
  readonly #sockets: readonly [Socket, Socket];
  readonly #onClose: () => void;
  #held = false;
  #muted = false;
  #toCut = false;

  constructor(near: Socket, far: Socket, onClose: () => void) {
    this.#sockets = [near, far];
    this.#onClose = onClose;
    this.#forward(near, far);
    this.#forward(far, near);
  }

  hold(): void {
    this.#held = true;
    for (const socket of this.#sockets) socket.pause();
  }

  goOn(): void {
    if (this.#muted) return;
    this.#held = false;
    for (const socket of this.#sockets) socket.resume();
  }

  /** Neither side hears of the other any more, not even of its end. */
  mute(): void {
    this.#muted = true;
    this.hold();
  }

  cut(): void {
    if (this.#muted) return;
    this.#toCut = true;
    setTimeout(() => this.end(), idleCutMs);
  }

  end(): void {
    for (const socket of this.#sockets) if (!socket.destroyed) reset(socket);
  }

  #forward(from: Socket, to: Socket): void {
    from.on("data", (chunk) => {
      if (this.#toCut) {
        to.write(chunk.subarray(0, Math.ceil(chunk.length / 2)));
        from.pause();
        setTimeout(() => this.end(), halfMs);
      } else if (!to.write(chunk)) {
        from.pause();
        to.once("drain", () => {
          if (!this.#held) from.resume();
        });
      }
    });
    from.on("end", () => {
      if (!this.#muted) to.end();
    });
    from.on("error", () => {});
    from.on("close", (failed) => {
      if (from.destroyed && to.destroyed) this.#onClose();
      else if (this.#muted) return;
      else if (failed) reset(to);
      else to.end();
    });
    from.resume();
  }
}

/** Of what only TCP knows; other sockets are just closed. */
function reset(socket: Socket): void {
  try {
    socket.resetAndDestroy();
  } catch {
    socket.destroy();
  }
}
