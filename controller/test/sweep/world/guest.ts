import { randomUUID } from "node:crypto";
import { Agent } from "node:https";
import type { Clock } from "@berth/base";
import {
  type AgentActivity,
  type AgentConfig,
  agentConfigSchema,
  bootstrapSubsystem,
  guestPaths,
  parseJson,
  type Use,
} from "@berth/protocol";
import {
  agentInterface,
  agentLinkPath,
  CallFailure,
  controllerInterface,
  linkVersion,
  Multiplexer,
  Peer,
} from "@berth/protocol/link";
import type { BootedGuest, MemoryGuest } from "@berth/pve-emulator";
import ssh2, { type AuthContext, type Connection, type ServerChannel } from "ssh2";
import { Value } from "typebox/value";
import { WebSocket } from "ws";
import { readBootstrapRequest } from "./bootstrap-request.ts";
import { type Command, commandOf, debianKeys } from "./guest-commands.ts";

/** Where a stand-in's sshd listens, and whom it knows. */
export const guestSsh = { port: 2222, user: "root" } as const;

/** How soon an agent that lost its controller dials again, and one that was refused, in milliseconds. */
const redialMs = 250;
const refusedMs = 45_000;

/** What goes wrong in guests, for as long as it says so. */
export interface GuestMishaps {
  /** Agents do not find their controller. */
  away: boolean;
  /** What uses it, when its agent is asked; `again`: once it has agreed to sleep. */
  usedBy(again: boolean): Use[];
  /** A bootstrap's connection dies before it did anything. */
  cutsBootstraps: boolean;
}

/**
 * Stands in for what runs in a container: an SSH server with the container's host key that carries out the bootstrap,
 * and, once it is bootstrapped, an agent that dials the controller and says hello. All of it over real connections.
 */
export async function bootGuest(
  guest: MemoryGuest,
  clock: Clock,
  mishaps: Readonly<GuestMishaps> = { away: false, usedBy: () => [], cutsBootstraps: false },
): Promise<BootedGuest> {
  const running = new RunningGuest(guest, clock, mishaps);
  await running.listen();
  running.startAgent();
  return running;
}

class RunningGuest implements BootedGuest {
  readonly #guest: MemoryGuest;
  readonly #clock: Clock;
  readonly #mishaps: Readonly<GuestMishaps>;
  readonly #over = new AbortController();
  readonly #connections = new Set<Connection>();
  readonly #bootId = randomUUID();
  #server: ssh2.Server | undefined;
  #socket: WebSocket | undefined;
  #dialling = false;
  /** Aborted when the agent has another configuration and is not to wait any longer. */
  #configured = new AbortController();

  constructor(guest: MemoryGuest, clock: Clock, mishaps: Readonly<GuestMishaps>) {
    this.#guest = guest;
    this.#clock = clock;
    this.#mishaps = mishaps;
  }

  /** Listens with the host key as it is now. */
  async listen(): Promise<void> {
    const hostKey = this.#guest.root.get(guestPaths.sshHostKey) ?? "";
    const server = new ssh2.Server({ hostKeys: [hostKey] }, (connection) => this.#serve(connection));
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(guestSsh.port, this.#guest.address, resolve);
    });
  }

  kill(): void {
    this.#over.abort();
    this.#server?.close();
    for (const connection of this.#connections) connection.end();
    this.#socket?.terminate();
  }

  /** Dials the controller for as long as the container runs, if it is bootstrapped. */
  startAgent(): void {
    if (this.#dialling || this.#config() === undefined) return;
    this.#dialling = true;
    void this.#keepLink();
  }

  #serve(connection: Connection): void {
    this.#connections.add(connection);
    connection.once("close", () => this.#connections.delete(connection));
    connection.on("error", () => {});
    withoutDelay(connection);
    connection.on("authentication", (context) => this.#authenticate(context));
    connection.on("session", (accept) => {
      const session = accept();
      session.on("exec", (acceptChannel, reject, { command }) => {
        const known = commandOf(command);
        if (!known) reject();
        else void this.#run(known, acceptChannel());
      });
      session.on("subsystem", (acceptChannel, reject, { name }) => {
        if (name !== bootstrapSubsystem) reject();
        else if (this.#mishaps.cutsBootstraps) connection.end();
        else void this.#bootstrap(acceptChannel());
      });
    });
  }

  #authenticate(context: AuthContext): void {
    if (context.method !== "publickey") {
      context.reject(["publickey"]);
      return;
    }
    const { root } = this.#guest;
    const files = [guestPaths.authorizedKeys, debianKeys].map((path) => root.get(path) ?? "");
    const known = files
      .flatMap((text) => text.split("\n"))
      .some((line) => {
        const key = ssh2.utils.parseKey(line);
        if (key instanceof Error || !key.getPublicSSH().equals(context.key.data)) return false;
        const { blob, signature, hashAlgo } = context;
        return !signature || !blob || key.verify(blob, signature, hashAlgo) === true;
      });
    if (known && context.username === guestSsh.user) context.accept();
    else context.reject();
  }

  async #run({ reads, run }: Command, channel: ServerChannel): Promise<void> {
    const input = reads ? await readAll(channel) : Buffer.alloc(0);
    if (this.#over.signal.aborted) return;
    const { output, complaint = "", code, restartsSshd } = run(this.#guest.root, input);
    if (restartsSshd) {
      this.#server?.close();
      await this.listen();
    }
    channel.write(output);
    channel.stderr.write(complaint);
    channel.exit(code);
    channel.end();
  }

  /** The bootstrap as the agent's own does it: every step says how things are to be, so it can be repeated. */
  async #bootstrap(channel: ServerChannel): Promise<void> {
    const request = readBootstrapRequest((await readAll(channel)).toString("utf8"));
    if (this.#over.signal.aborted || !request) return void channel.end();
    const { root } = this.#guest;
    const machineId = root.get(guestPaths.machineId)?.trim() ?? "";
    root.set(guestPaths.authorizedKeys, request.authorizedKeys.join("\n"));
    root.set(guestPaths.sshHostKey, request.hostKey.privateKey);
    root.set(guestPaths.sshHostCertificate, request.hostCertificate);
    this.#server?.close();
    await this.listen();
    root.set(guestPaths.agentConfig, JSON.stringify({ ...request.agent, machineId }));
    this.#socket?.terminate();
    this.#configured.abort();
    this.#configured = new AbortController();
    this.startAgent();
    const result = { machineId, agentVersion: "stand-in", hostCertificate: true };
    channel.end(`${JSON.stringify(result)}\n`);
  }

  #activity(again: boolean): AgentActivity {
    const uses = this.#mishaps.usedBy(again);
    return { uses, idleMs: uses.length > 0 ? 0 : 3_600_000 };
  }

  async #keepLink(): Promise<void> {
    while (!this.#over.signal.aborted) {
      const config = this.#mishaps.away ? undefined : this.#config();
      const { signal } = this.#configured;
      const waitMs = config && (await this.#dial(config)) === "refused" ? refusedMs : redialMs;
      await this.#clock.sleep(waitMs, AbortSignal.any([this.#over.signal, signal])).catch(() => {});
    }
  }

  #config(): AgentConfig | undefined {
    const config = parseJson(this.#guest.root.get(guestPaths.agentConfig) ?? "");
    // As the agent: of another machine's configuration it makes no use.
    const machineId = this.#guest.root.get(guestPaths.machineId)?.trim();
    return Value.Check(agentConfigSchema, config) && config.machineId === machineId ? config : undefined;
  }

  /** One link, from the dial to its end. */
  #dial(config: AgentConfig): Promise<"refused" | "over"> {
    return new Promise((resolve) => {
      const socket = new WebSocket(`${config.controllerUrl}${agentLinkPath}`, {
        agent: new Agent({ ca: config.controllerCertificate, checkServerIdentity: () => undefined }),
        localAddress: this.#guest.address,
        headers: { authorization: `Bearer ${config.sandboxId}:${config.secret}` },
        perMessageDeflate: false,
      });
      this.#socket = socket;
      socket.binaryType = "nodebuffer";
      socket.on("error", () => {});
      socket.once("unexpected-response", (call, response) => {
        resolve(response.statusCode === 401 ? "refused" : "over");
        call.destroy();
      });
      socket.once("close", () => resolve("over"));
      const link: Multiplexer = new Multiplexer({
        side: "dialler",
        send: (frame) => socket.send(frame, { binary: true }),
        onControl: (message) => peer.receive(message),
      });
      const peer = new Peer({
        local: agentInterface,
        remote: controllerInterface,
        handlers: { ...noTerminals, activity: async ({ again }) => this.#activity(again === true) },
        send: (message) => link.sendControl(message),
      });
      socket.on("message", (data: Buffer) => link.receive(data));
      socket.once("close", () => peer.close());
      const { machineId } = config;
      const hello = { linkVersion, agentVersion: "stand-in", bootId: this.#bootId, machineId, terminals: [] };
      socket.once("open", () => void peer.call("hello", hello).catch(() => socket.terminate()));
    });
  }
}

/** Small messages go out at once, as OpenSSH's do. The types do not know that a server's connections can do this too. */
function withoutDelay(connection: Connection & { setNoDelay?: (noDelay: boolean) => void }): void {
  connection.setNoDelay?.(true);
}

/** Everything up to the end of the input; the channel stays open for the answer. */
function readAll(channel: ServerChannel): Promise<Buffer> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    channel.on("data", (chunk: Buffer) => chunks.push(chunk));
    channel.once("end", () => resolve(Buffer.concat(chunks)));
  });
}

const none = () => Promise.reject(new CallFailure("not_found", "a stand-in has no terminals"));

/** The stand-in has no terminals. */
const noTerminals = {
  setEnvironment: async () => null,
  listTerminals: async () => [],
  ensureTerminal: none,
  removeTerminal: async () => null,
  input: none,
  resize: none,
  screen: none,
};
