import { connect } from "node:net";
import type { Connection, ServerChannel } from "ssh2";
import type { SandboxRow } from "../sandboxes/record.ts";
import { boundIncoming } from "./local-sessions.ts";
import type { SessionTraffic } from "./sessions.ts";

const limits = { connections: 32, connectMs: 5_000 } as const;

export interface JumpDependencies {
  /** The sandbox of this name, id or address that the client may reach now. Rejects with a sentence if there is none. */
  find(host: string): Promise<Pick<SandboxRow, "address" | "ssh_port">>;
}

/**
 * Lets a client through to the SSH servers of its user's sandboxes, and to nothing else (`ssh -J`): what it does there
 * is between it and the sandbox.
 */
export class Jump {
  readonly #deps: JumpDependencies;
  #open = 0;
  #made = 0;
  #bytesIn = 0;
  #bytesOut = 0;

  constructor(dependencies: JumpDependencies) {
    this.#deps = dependencies;
  }

  get traffic(): SessionTraffic {
    return { bytesIn: this.#bytesIn, bytesOut: this.#bytesOut, channels: this.#made > 0 ? { jump: this.#made } : {} };
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
  async #connect(
    { address, ssh_port }: Pick<SandboxRow, "address" | "ssh_port">,
    port: number,
    accept: () => ServerChannel,
  ): Promise<void> {
    const sshPort = ssh_port ?? 22;
    if (address === null || (port !== 22 && port !== sshPort)) throw new Error("not an SSH server of a sandbox");
    const socket = connect({ host: address, port: sshPort, noDelay: true, allowHalfOpen: true });
    socket.setTimeout(limits.connectMs, () => socket.destroy(new Error("it does not answer")));
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", reject);
    });
    socket.setTimeout(0);
    const channel = accept();
    boundIncoming(channel);
    this.#made += 1;
    await new Promise<void>((resolve) => {
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
      channel.once("close", () => {
        socket.destroy();
        resolve();
      });
    });
  }
}
