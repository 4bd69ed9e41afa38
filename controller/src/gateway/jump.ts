import { connect, type Socket } from "node:net";
import type { Connection, ServerChannel } from "ssh2";
import type { SandboxRow } from "../sandboxes/record.ts";
import { boundIncoming } from "./local-sessions.ts";
import type { RecordedSession } from "./record.ts";
import type { SessionTraffic } from "./sessions.ts";

const limits = { connections: 32, connectMs: 5_000 } as const;

export interface JumpDependencies {
  /** The sandbox of this name, id or address that the client may reach now. Rejects with a sentence if there is none. */
  find(host: string): Promise<SandboxRow>;
  /** Writes it down: what goes to which sandbox is not the connection's own to say, which may jump to several. */
  record(jump: RecordedSession, sandbox: SandboxRow): void;
}

/**
 * Lets a client through to the SSH servers of its user's sandboxes, and to nothing else (`ssh -J`): what it does there
 * is between it and the sandbox.
 */
export class Jump {
  readonly #deps: JumpDependencies;
  #open = 0;
  #made = 0;

  constructor(dependencies: JumpDependencies) {
    this.#deps = dependencies;
  }

  /** The connection's own. What passes in the jumps is theirs. */
  get traffic(): SessionTraffic {
    return { bytesIn: 0, bytesOut: 0, channels: this.#made > 0 ? { jump: this.#made } : {} };
  }

  /** Answers the connections that the client asks for. */
  serve(client: Connection): void {
    client.on("tcpip", (accept, reject, { destIP, destPort }) => {
      if (this.#open >= limits.connections) {
        reject();
        return;
      }
      this.#open += 1;
      this.#deps
        .find(destIP)
        .then((row) => this.#connect(row, destPort, accept))
        .catch(() => reject())
        .finally(() => {
          this.#open -= 1;
        });
    });
  }

  /** Resolves when the joined connection has ended; rejects when there is none. */
  async #connect(row: SandboxRow, port: number, accept: () => ServerChannel): Promise<void> {
    const sshPort = row.ssh_port ?? 22;
    if (row.address === null || (port !== 22 && port !== sshPort)) throw new Error("not an SSH server of a sandbox");
    const socket = await connected(row.address, sshPort);
    const channel = accept();
    boundIncoming(channel);
    this.#made += 1;
    const joined = new JoinedJump(channel, socket);
    this.#deps.record(joined, row);
    await joined.closed;
  }
}

/** A connection to an SSH server. Rejects where none can be had within `limits.connectMs`. */
async function connected(host: string, port: number): Promise<Socket> {
  const socket = connect({ host, port, noDelay: true, allowHalfOpen: true });
  socket.setTimeout(limits.connectMs, () => socket.destroy(new Error("it does not answer")));
  await new Promise<void>((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("error", reject);
  });
  socket.setTimeout(0);
  return socket;
}

/** One way through: a client's channel and a connection to a sandbox, joined until either ends. */
class JoinedJump implements RecordedSession {
  readonly closed: Promise<void>;
  readonly #channel: ServerChannel;
  #bytesIn = 0;
  #bytesOut = 0;
  #endReason = "the jump has ended";

  constructor(channel: ServerChannel, socket: Socket) {
    this.#channel = channel;
    socket.on("data", (bytes: Buffer) => {
      this.#bytesOut += bytes.length;
    });
    channel.on("data", (bytes: Buffer) => {
      this.#bytesIn += bytes.length;
    });
    socket.pipe(channel);
    channel.pipe(socket);
    channel.on("error", () => socket.destroy());
    socket.on("error", () => channel.close());
    this.closed = new Promise((resolve) => {
      channel.once("close", () => {
        socket.destroy();
        resolve();
      });
    });
  }

  get traffic(): SessionTraffic {
    return { bytesIn: this.#bytesIn, bytesOut: this.#bytesOut, channels: { jump: 1 } };
  }

  get endReason(): string {
    return this.#endReason;
  }

  end(sentence: string): void {
    this.#endReason = sentence;
    this.#channel.close();
  }
}
