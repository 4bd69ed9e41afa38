import type { IncomingMessage } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { AgentActivity, Environment, TerminalStatus } from "@berth/protocol";
import { agentLinkPath, type Channel, linkLimits, linkVersion } from "@berth/protocol/link";
import type { FastifyBaseLogger } from "fastify";
import type { Kysely } from "kysely";
import { type WebSocket, WebSocketServer } from "ws";
import { hashSecret, type ListenerCertificate } from "../fleet/keys.ts";
import { Heartbeats } from "../heartbeat.ts";
import type { Database } from "../store/tables.ts";
import { AgentLink, type AgentLinkOptions, linkCloseCodes } from "./link.ts";
import { PassingBuffers } from "./passing-buffers.ts";
import type { AgentRegistry } from "./registry.ts";
import { matchSecret } from "./secrets.ts";

/** What an agent says of itself when its link is up. */
export interface Arrival {
  readonly sandboxId: string;
  readonly agentVersion: string;
  /** The version of an update that did not work there, if the last one did not. */
  readonly failedUpdate: string | undefined;
  readonly bootId: string;
  /** Where its connection comes from; undefined if it has ended since. */
  readonly remoteAddress: string | undefined;
  readonly terminals: readonly TerminalStatus[];
  /** How the sandbox is used; undefined from an agent that does not tell. */
  readonly activity: AgentActivity | undefined;
}

export interface AgentListenerDependencies {
  db: Kysely<Database>;
  registry: AgentRegistry;
  certificate: ListenerCertificate;
  log: FastifyBaseLogger;
  /** The environment for the terminals of a sandbox. */
  environment(sandboxId: string): Promise<Environment>;
  /** Whether terminals are recorded. */
  recording: boolean;
  /** An agent has arrived: its link is in the registry. */
  onArrival(arrival: Arrival): void;
  /** The present link of a sandbox is gone. */
  onDeparture(sandboxId: string): void;
  onTerminal(sandboxId: string, status: TerminalStatus): void;
  onActivity(sandboxId: string, activity: AgentActivity): void;
  /** An agent opened a channel: its handlers are to be set at once. */
  onChannel(sandboxId: string, channel: Channel, kind: string, params: unknown): void;
}

/** A link that died without a word is so noticed within half a minute. */
const heartbeatMs = 10_000;
const helloTimeoutMs = 10_000;
/** Handshakes that wait for the database at once: more are told to come back. */
const maxHandshakes = 64;

/**
 * The agents' own TLS listener: one path, WebSocket only. Who dials is told apart by the secret of one sandbox, before
 * anything of the WebSocket is answered.
 */
export class AgentListener {
  readonly #deps: AgentListenerDependencies;
  readonly #server: Server;
  readonly #sockets = new WebSocketServer({
    noServer: true,
    maxPayload: linkLimits.maxFrameBytes + linkLimits.headerBytes,
    perMessageDeflate: false,
  });
  readonly #connections = new Set<Socket>();
  readonly #heartbeats = new Heartbeats(heartbeatMs);
  readonly #buffers = new PassingBuffers();
  #handshakes = 0;

  constructor(dependencies: AgentListenerDependencies) {
    this.#deps = dependencies;
    const { certificate, privateKey } = dependencies.certificate;
    this.#server = createServer({ cert: certificate, key: privateKey, minVersion: "TLSv1.3" }, (_request, response) => {
      response.writeHead(404, { connection: "close" }).end();
    });
    this.#server.headersTimeout = helloTimeoutMs;
    this.#server.on("upgrade", (request, socket, head) => void this.#upgrade(request, socket, head));
    this.#server.on("connection", (socket: Socket) => {
      socket.setNoDelay(true);
      this.#connections.add(socket);
      socket.once("close", () => this.#connections.delete(socket));
    });
    this.#server.on("tlsClientError", () => {});
  }

  /** Listens; answers the port. Rejects with the system's error, such as EADDRINUSE. */
  listen(host: string, port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen({ host, port, backlog: 1024 }, () => {
        this.#server.removeListener("error", reject);
        this.#deps.registry.open();
        resolve((this.#server.address() as AddressInfo).port);
      });
    });
  }

  async close(): Promise<void> {
    this.#deps.registry.closeAll();
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#sockets.close();
    for (const socket of this.#connections) socket.destroySoon();
    await closed;
  }

  async #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    socket.on("error", () => socket.destroy());
    if (request.url !== agentLinkPath) return refuse(socket, 404, "Not Found");
    if (this.#handshakes >= maxHandshakes) return refuse(socket, 503, "Service Unavailable");
    this.#handshakes += 1;
    try {
      const dialler = await this.#authenticate(request.headers.authorization);
      if (dialler === undefined) return refuse(socket, 401, "Unauthorized");
      const remoteAddress = plainAddress(request.socket.remoteAddress);
      this.#sockets.handleUpgrade(request, socket, head, (webSocket) =>
        this.#accept(webSocket, { ...dialler, remoteAddress }),
      );
    } catch (error) {
      this.#deps.log.error({ err: error }, "an agent could not be authenticated");
      refuse(socket, 503, "Service Unavailable");
    } finally {
      this.#handshakes -= 1;
    }
  }

  /** `Bearer <sandbox id>:<secret>` of a sandbox that is not being destroyed. */
  async #authenticate(authorization: string | undefined): Promise<Omit<Dialler, "remoteAddress"> | undefined> {
    const match = /^Bearer (sbx_[0-9a-z]{20}):([A-Za-z0-9_-]{32,128})$/.exec(authorization ?? "");
    if (!match?.[1] || !match[2]) return undefined;
    const row = await this.#deps.db
      .selectFrom("sandboxes")
      .select(["id", "agent_secret_hash", "former_agent_secret_hashes", "desired", "machine_id"])
      .select(["host_key_fingerprint", "bootstrapped_at"])
      .where("id", "=", match[1])
      .executeTakeFirst();
    if (!row || row.desired === "destroyed") return undefined;
    const secretHash = hashSecret(match[2]);
    const which = matchSecret(row, secretHash);
    if (which === undefined) return undefined;
    // Its disk was put back to an earlier time: it speaks once it is bootstrapped anew, lest it speaks twice.
    const isRolledBack = row.bootstrapped_at === null && row.host_key_fingerprint !== null;
    if (isRolledBack && which === "former") return undefined;
    const settles = which === "newest" && row.former_agent_secret_hashes.length > 0;
    return { sandboxId: row.id, machineId: row.machine_id, settlesSecret: settles ? secretHash : undefined };
  }

  #accept(socket: WebSocket, dialler: Dialler): void {
    const { sandboxId } = dialler;
    const { log, registry, onDeparture, onTerminal, onActivity, onChannel } = this.#deps;
    const link = new AgentLink({
      sandboxId,
      socket,
      onHello: (greeted, hello) => this.#greet(greeted, hello, dialler),
      onTerminal: (status) => {
        if (registry.get(sandboxId) === link) onTerminal(sandboxId, status);
      },
      onFrame: (bytes) => this.#buffers.passed(bytes),
      onActivity: (activity) => {
        if (registry.get(sandboxId) === link) onActivity(sandboxId, activity);
      },
      onChannel: (channel, kind, params) => onChannel(sandboxId, channel, kind, params),
      onViolation: (reason) => log.warn({ sandboxId, reason }, "an agent broke the rules of the link"),
    });
    const helloTimer = setTimeout(() => {
      if (!link.greeted) link.close(linkCloseCodes.silent, "no hello");
    }, helloTimeoutMs);
    this.#heartbeats.watch(socket);
    socket.once("close", () => {
      clearTimeout(helloTimer);
      if (!registry.remove(link)) return;
      log.info({ sandboxId }, "agent gone");
      onDeparture(sandboxId);
    });
  }

  async #greet(link: AgentLink, hello: Hello, { machineId, remoteAddress, settlesSecret }: Dialler) {
    const { registry, log, environment, recording, onArrival } = this.#deps;
    if (machineId !== null && machineId !== hello.machineId) {
      throw Object.assign(new Error("this secret belongs to another machine"), { code: "forbidden" });
    }
    if (settlesSecret !== undefined) await this.#settleSecret(link.sandboxId, settlesSecret);
    const env = await environment(link.sandboxId);
    // After the answer has gone out: a call that the arrival makes is not to overtake it.
    setImmediate(() => {
      if (!link.open) return;
      registry.put(link);
      log.info({ sandboxId: link.sandboxId, agentVersion: hello.agentVersion }, "agent connected");
      const { agentVersion, failedUpdate, bootId, terminals, activity } = hello;
      const { sandboxId } = link;
      onArrival({ sandboxId, agentVersion, failedUpdate, bootId, remoteAddress, terminals, activity });
    });
    return { linkVersion, env, recording, activity: true, heartbeatMs };
  }

  /** Forgets the secrets before this one, unless another one is being given by now. */
  async #settleSecret(sandboxId: string, secretHash: string): Promise<void> {
    await this.#deps.db
      .updateTable("sandboxes")
      .set({ former_agent_secret_hashes: [] })
      .where("id", "=", sandboxId)
      .where("agent_secret_hash", "=", secretHash)
      .execute();
  }
}

type Hello = Parameters<AgentLinkOptions["onHello"]>[1];

/** Who dials, as its secret tells. */
interface Dialler {
  readonly sandboxId: string;
  /** Before its bootstrap is written down a sandbox has none here; the secret is bound to the machine in the agent. */
  readonly machineId: string | null;
  /** The newest secret, as a hash, where others were valid beside it: it has arrived, so they are not any more. */
  readonly settlesSecret: string | undefined;
  readonly remoteAddress: string | undefined;
}

/** IPv4 as it is written, also from a listener of both families. */
function plainAddress(address: string | undefined): string | undefined {
  return address?.replace(/^::ffff:(?=\d+\.)/i, "");
}

function refuse(socket: Duplex, status: number, reason: string): void {
  socket.end(`HTTP/1.1 ${status} ${reason}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
}
