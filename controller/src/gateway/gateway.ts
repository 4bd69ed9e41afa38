import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import type { Clock } from "@berth/base";
import type { FastifyBaseLogger } from "fastify";
import type { Kysely } from "kysely";
import ssh2, { type ClientInfo, type Connection } from "ssh2";
import type { FleetKeys } from "../fleet/keys.ts";
import { plainAddress } from "../http/addresses.ts";
import { Throttle } from "../identity/throttle.ts";
import type { SandboxRow } from "../sandboxes/record.ts";
import type { AwaitReady } from "../sleep/waking.ts";
import type { SandboxSsh } from "../ssh/sandbox-ssh.ts";
import type { Database } from "../store/tables.ts";
import type { ClaudeTerminals } from "../terminals/claude.ts";
import { sshAlgorithms } from "./algorithms.ts";
import { type Authenticated, authenticate } from "./authentication.ts";
import { GatewayConnection } from "./connection.ts";
import { Hold } from "./hold.ts";
import { printable, readLogin } from "./login.ts";
import type { GatewayMetrics } from "./metrics.ts";
import { People } from "./people.ts";
import { keepRecord, type RecordedSession } from "./record.ts";
import type { SshSessions } from "./sessions.ts";
import { Transport } from "./transport.ts";

export interface GatewayDependencies {
  readonly db: Kysely<Database>;
  readonly keys: FleetKeys;
  readonly ssh: Pick<SandboxSsh, "target">;
  readonly claude: Pick<ClaudeTerminals, "running" | "open">;
  readonly awaitReady: AwaitReady;
  /** Says that a sandbox is used, until the answer is called. */
  readonly hold: (sandboxId: string) => () => void;
  readonly sessions: SshSessions;
  readonly metrics: GatewayMetrics;
  /** Whether clients may lend their agents to sandboxes. */
  readonly agentForwarding: boolean;
  readonly clock: Clock;
  readonly log: FastifyBaseLogger;
}

const limits = {
  connections: 1000,
  /** Of one user's, and to one sandbox. */
  perUser: 200,
  perSandbox: 100,
  /** Those that have not signed in, in all and from one address. */
  strangers: 100,
  strangersPerAddress: 20,
  /** What a client may leave unread of what is not paced by a relay. */
  backlogBytes: 32 * 1024 * 1024,
  /** From the first byte to the end of the sign-in. */
  graceMs: 30_000,
} as const;

/** ssh2 asks for signs of life by messages whose answers a relay would take for the sandbox's. TCP's own do as well. */
const never = 2 ** 31 - 1;
const tcpKeepAliveMs = 30_000;
const farewell = "Berth stops: connect again in a moment";

/** The SSH server by which people reach their sandboxes. */
export class Gateway {
  readonly #deps: GatewayDependencies;
  readonly #people: People;
  readonly #ssh: ssh2.Server;
  readonly #listener: Server;
  readonly #throttle: Throttle;
  /** Who has not signed in, with its address. */
  readonly #strangers = new Map<Socket, string>();
  readonly #connections = new Set<GatewayConnection>();
  /** What is still to be written down. */
  readonly #records = new Set<Promise<void>>();
  #closing = false;

  constructor(dependencies: GatewayDependencies) {
    this.#deps = dependencies;
    this.#people = new People(dependencies.db);
    this.#throttle = new Throttle(dependencies.clock);
    this.#ssh = new ssh2.Server(
      {
        hostKeys: [dependencies.keys.gatewayHostKey.privateKey],
        ident: "Berth",
        algorithms: { cipher: [...sshAlgorithms.cipher], compress: [...sshAlgorithms.compress] },
        keepaliveInterval: never,
      },
      (client, info) => this.#greet(client, info),
    );
    const options = { noDelay: true, keepAlive: true, keepAliveInitialDelay: tcpKeepAliveMs };
    this.#listener = createServer(options, (socket) => this.#welcome(socket));
    this.#listener.maxConnections = limits.connections;
  }

  /** Answers the port. Rejects with the socket's error. */
  async listen(host: string, port: number): Promise<number> {
    await this.#deps.sessions.endLeftOpen();
    this.#listener.listen(port, host);
    await once(this.#listener, "listening");
    this.#listener.on("error", (err) => this.#deps.log.error({ err }, "the SSH gateway's listener failed"));
    const address = this.#listener.address();
    return address !== null && typeof address === "object" ? address.port : port;
  }

  /** A user's keys have changed: connections by one that is no more registered end. Never rejects. */
  async keysChanged(userId: string): Promise<void> {
    const theirs = [...this.#connections].filter(({ who }) => who.userIds.includes(userId));
    await Promise.all(
      theirs.map(async (connection) => {
        const holders = await this.#people.holders(connection.who.keyFingerprint).catch(() => undefined);
        if (holders && !connection.who.userIds.every((id) => holders.includes(id))) {
          connection.end("the key that you signed in with was removed");
        }
      }),
    );
  }

  /** Ends all connections with a word, and stops listening. */
  async close(): Promise<void> {
    this.#closing = true;
    const closed = new Promise<void>((resolve) => this.#listener.close(() => resolve()));
    for (const socket of this.#strangers.keys()) socket.destroy();
    for (const connection of this.#connections) connection.end(farewell);
    await closed;
    await Promise.all(this.#records);
  }

  /** Takes a stranger's connection, within the bounds of what strangers may have. */
  #welcome(socket: Socket): void {
    const address = plainAddress(socket.remoteAddress ?? "");
    socket.on("error", () => socket.destroy());
    const fromThere = [...this.#strangers.values()].filter((other) => other === address).length;
    const isCrowded = this.#strangers.size >= limits.strangers || fromThere >= limits.strangersPerAddress;
    if (this.#closing || isCrowded || this.#throttle.waitMs([address]) > 0) {
      this.#deps.metrics.refused.inc({ reason: "limit" });
      socket.destroy();
      return;
    }
    this.#strangers.set(socket, address);
    const timer = setTimeout(() => this.#strangers.has(socket) && socket.destroy(), limits.graceMs);
    socket.once("close", () => {
      clearTimeout(timer);
      this.#strangers.delete(socket);
    });
    // Answers to what a client asks without reading them.
    socket.on("data", () => {
      if (socket.writableLength > limits.backlogBytes) socket.destroy();
    });
    this.#ssh.injectSocket(socket);
  }

  /** A client has said that it speaks SSH. */
  #greet(client: Connection, info: ClientInfo): void {
    const address = plainAddress(info.ip);
    const transport = new Transport(client);
    // Whatever goes wrong with a connection ends it, and nothing else.
    client.on("error", (err) => {
      this.#deps.log.debug({ address, err }, "an SSH connection failed");
      transport.socket.destroy();
    });
    const software = printable(info.header.versions.software);
    void authenticate(client, transport, this.#people, (who) => this.#greeting(who)).then((who) => {
      if (who) {
        void this.#admit(client, transport, { who, address, software });
        return;
      }
      this.#throttle.begin([address]);
      this.#deps.metrics.refused.inc({ reason: "key" });
      this.#deps.log.info({ address }, "an SSH client without a registered key was refused");
    });
  }

  /** Whoever comes to a sandbox that sleeps has to wait, and is told why. */
  async #greeting({ username, userIds }: Authenticated): Promise<string | undefined> {
    const login = readLogin(username);
    if (login.kind !== "sandbox") return undefined;
    const sandbox = await this.#people.sandbox(login.reference, userIds);
    return sandbox?.desired === "asleep" ? `berth: ${sandbox.name} is asleep: waking it` : undefined;
  }

  /** Never rejects. */
  async #admit(client: Connection, transport: Transport, { who, address, software }: Guest): Promise<void> {
    this.#strangers.delete(transport.socket);
    this.#throttle.succeed([address]);
    const hold = new Hold(transport);
    const { ssh, claude, awaitReady, hold: use, agentForwarding, log } = this.#deps;
    try {
      const login = readLogin(who.username);
      const sandbox = login.kind === "sandbox" ? await this.#people.sandbox(login.reference, who.userIds) : undefined;
      // It has left meanwhile, and nobody would be told of that any more.
      if (transport.socket.destroyed) return;
      // Who may have the key in common with others is here the owner of what was asked for.
      const owner = sandbox?.owner_id ?? who.userIds[0] ?? "";
      const guest = { who, ownerId: owner, address, software };
      const record = (jump: RecordedSession, to: SandboxRow) => this.#record(jump, guest, to);
      const connection = new GatewayConnection(
        { people: this.#people, ssh, claude, awaitReady, hold: use, agentForwarding, record, log },
        { client, transport, who: { ...who, userIds: [owner] }, sandbox, refusal: this.#refusal(owner, sandbox), hold },
      );
      this.#connections.add(connection);
      client.once("close", () => this.#connections.delete(connection));
      this.#record(connection, guest, connection.sandbox);
      // Removed while it signed in.
      await this.keysChanged(owner);
      if (this.#closing) connection.end(farewell);
    } catch (err) {
      log.warn({ address, err }, "an SSH connection could not be served");
      transport.socket.destroy();
    }
  }

  #record(
    session: RecordedSession,
    { who, ownerId, address, software }: Guest & { ownerId: string },
    sandbox: { id: string; name: string } | undefined,
  ): void {
    const { sessions, log, metrics } = this.#deps;
    const record = keepRecord({ sessions, log, metrics }, session, {
      ownerId,
      sandbox,
      login: printable(who.username),
      keyFingerprint: who.keyFingerprint,
      remoteAddress: address,
      client: software,
    });
    this.#records.add(record);
    void record.finally(() => this.#records.delete(record));
  }

  #refusal(owner: string, sandbox: SandboxRow | undefined): string | undefined {
    const open = [...this.#connections];
    const ofUser = open.filter(({ who }) => who.userIds[0] === owner).length;
    const toSandbox = sandbox ? open.filter((other) => other.sandbox?.id === sandbox.id).length : 0;
    if (ofUser >= limits.perUser) return `you have ${ofUser} SSH connections open: close some`;
    if (toSandbox >= limits.perSandbox) return `the sandbox has ${toSandbox} SSH connections open: close some`;
    return undefined;
  }
}

/** Somebody who has signed in, and from where. */
interface Guest {
  readonly who: Authenticated;
  readonly address: string;
  /** What the client calls itself. */
  readonly software: string;
}
