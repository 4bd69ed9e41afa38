import { createServer as createHttpServer, type RequestListener } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { type AddressInfo, createServer as createNetServer, type Socket } from "node:net";

/** The first byte of every TLS connection. */
const tlsHandshake = 0x16;

export interface ServerOptions {
  readonly host: string;
  /** 0 for any free one. */
  readonly port: number;
  /** PEM. */
  readonly certificate: string;
  readonly key: string;
  readonly handle: RequestListener;
}

/** HTTPS, and on the same port plain HTTP that sends everybody to HTTPS. */
export class ApiServer implements AsyncDisposable {
  readonly port: number;
  readonly #listener: ReturnType<typeof createNetServer>;
  readonly #sockets: Set<Socket>;

  private constructor(listener: ReturnType<typeof createNetServer>, sockets: Set<Socket>, port: number) {
    this.#listener = listener;
    this.#sockets = sockets;
    this.port = port;
  }

  static async listen(options: ServerOptions): Promise<ApiServer> {
    const { certificate: cert, key, handle } = options;
    const secure = createHttpsServer({ cert, key, keepAliveTimeout: 30_000 }, handle);
    const plain = createHttpServer((request, response) => {
      response.writeHead(301, "Moved Permanently", {
        Location: `https://${request.headers.host ?? ""}${request.url ?? "/"}`,
        "Content-Length": 0,
        Connection: "close",
      });
      response.end();
    });
    const sockets = new Set<Socket>();
    const listener = createNetServer((socket) => {
      sockets.add(socket);
      socket.on("close", () => sockets.delete(socket));
      socket.on("error", () => socket.destroy());
      socket.once("data", (first) => {
        socket.pause();
        socket.unshift(first);
        (first[0] === tlsHandshake ? secure : plain).emit("connection", socket);
        process.nextTick(() => socket.resume());
      });
    });
    await new Promise<void>((resolve, reject) => {
      listener.once("error", reject);
      listener.listen(options.port, options.host, resolve);
    });
    const address: AddressInfo | string | null = listener.address();
    if (address === null || typeof address === "string") throw new Error("the listener has no port");
    return new ApiServer(listener, sockets, address.port);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#listener.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}
