import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** The network between an agent and its controller: what enters at its port leaves at another, while it is there. */
export class FaultyNetwork {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #gone = false;
  /** Connections that were asked for, those in vain included. */
  attempts = 0;

  private constructor(targetPort: number) {
    this.#server = createServer((near) => this.#join(near, targetPort));
  }

  static async start(targetPort: number): Promise<FaultyNetwork> {
    const network = new FaultyNetwork(targetPort);
    await new Promise<void>((resolve) => network.#server.listen(0, "127.0.0.1", resolve));
    return network;
  }

  get gone(): boolean {
    return this.#gone;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Takes the network away: nothing that is sent arrives, no connection learns of it, and none can be made. */
  vanish(): void {
    this.#gone = true;
    for (const socket of this.#sockets) {
      socket.unpipe();
      socket.pause();
    }
  }

  /** The network is there again; the connections of before stay mute, as those to a former address do. */
  comeBack(): void {
    this.#gone = false;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #join(near: Socket, targetPort: number): void {
    this.attempts += 1;
    if (this.#gone) {
      near.resetAndDestroy();
      return;
    }
    const far = connect(targetPort, "127.0.0.1");
    for (const socket of [near, far]) {
      this.#sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => this.#sockets.delete(socket));
    }
    near.pipe(far).pipe(near);
  }
}
