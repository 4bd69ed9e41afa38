import { createServer, type Server } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import type { TerminalStatus } from "@berth/protocol";
import { agentInterface, controllerInterface, Multiplexer, Peer } from "@berth/protocol/link";
import { generate } from "selfsigned";
import type { Static } from "typebox";
import { type WebSocket, WebSocketServer } from "ws";
import { until } from "./pty-host.ts";

type Hello = Static<(typeof controllerInterface.methods.hello)["params"]>;

/** A link that an agent made. */
export interface AgentLink {
  readonly hello: Hello;
  readonly peer: Peer<typeof controllerInterface, typeof agentInterface>;
  readonly multiplexer: Multiplexer;
  readonly socket: WebSocket;
}

/** A controller's agent listener, for one sandbox. */
export class FakeController {
  readonly certificate: string;
  readonly links: AgentLink[] = [];
  readonly events: TerminalStatus[] = [];
  readonly authorizations: (string | undefined)[] = [];
  env: Record<string, string> = {};
  /** Whether it wants terminals recorded. */
  recording = true;
  refuses = false;
  /** Pings of all agents. */
  pings = 0;
  readonly #server: Server;
  readonly #connections = new Set<Socket>();
  readonly #sockets: WebSocketServer;

  private constructor(certificate: string, key: string) {
    this.certificate = certificate;
    this.#server = createServer({ cert: certificate, key });
    this.#server.on("connection", (socket: Socket) => {
      this.#connections.add(socket);
      socket.once("close", () => this.#connections.delete(socket));
    });
    this.#sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });
    this.#server.on("upgrade", (request, socket, head) => {
      this.authorizations.push(request.headers.authorization);
      if (this.refuses || request.url !== "/link") {
        socket.end("HTTP/1.1 401 Unauthorized\r\nConnection: close\r\n\r\n");
        return;
      }
      this.#sockets.handleUpgrade(request, socket, head, (upgraded) => this.#serve(upgraded));
    });
  }

  /** Starts one on 127.0.0.1 with a certificate of its own. */
  static async start(): Promise<FakeController> {
    const { cert, private: key } = await generate([{ name: "commonName", value: "berth" }], { keyType: "ec" });
    const controller = new FakeController(cert, key);
    await new Promise<void>((resolve) => controller.#server.listen(0, "127.0.0.1", resolve));
    return controller;
  }

  get url(): string {
    return `wss://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** The link number `count`, once the agent has said hello on it. */
  async link(count = 1): Promise<AgentLink> {
    await until(() => this.links.length >= count, 20_000);
    const link = this.links[count - 1];
    if (!link) throw new Error("there is no link");
    return link;
  }

  /** Is away: nobody listens at its address. Resolves to what brings it back there. */
  async leave(): Promise<() => Promise<void>> {
    const { port } = this.#server.address() as AddressInfo;
    await this.stop();
    return () => new Promise((resolve) => this.#server.listen(port, "127.0.0.1", resolve));
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets.clients) socket.terminate();
    // Those whose handshake an agent has not ended, too.
    for (const socket of this.#connections) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #serve(socket: WebSocket): void {
    const multiplexer: Multiplexer = new Multiplexer({
      side: "listener",
      send: (frame) => socket.send(frame),
      onControl: (message) => peer.receive(message),
    });
    const peer = new Peer<typeof controllerInterface, typeof agentInterface>({
      local: controllerInterface,
      remote: agentInterface,
      handlers: {
        hello: (hello) => {
          queueMicrotask(() => this.links.push({ hello, peer, multiplexer, socket }));
          return { linkVersion: 1, env: this.env, heartbeatMs: 1000, recording: this.recording };
        },
      },
      onEvent: (_name, status) => this.events.push(status as TerminalStatus),
      send: (message) => multiplexer.sendControl(message),
    });
    socket.on("message", (data) => {
      if (data instanceof Uint8Array) multiplexer.receive(data);
    });
    socket.on("ping", () => {
      this.pings += 1;
    });
    socket.on("close", () => {
      peer.close();
      multiplexer.close();
    });
  }
}
