import type { FastifyBaseLogger } from "fastify";
import type { Connection } from "ssh2";
import type { SandboxRow } from "../sandboxes/record.ts";
import type { AwaitReady } from "../sleep/waking.ts";
import type { SandboxSsh } from "../ssh/sandbox-ssh.ts";
import type { ClaudeTerminals } from "../terminals/claude.ts";
import type { Authenticated } from "./authentication.ts";
import { ClaudeView, noConnectionCode } from "./claude-view.ts";
import type { Hold } from "./hold.ts";
import { Jump } from "./jump.ts";
import { finish, serveSessions } from "./local-sessions.ts";
import { type Login, printable, readLogin } from "./login.ts";
import type { People } from "./people.ts";
import { reachSandbox } from "./reach.ts";
import type { RecordedSession } from "./record.ts";
import { Relay } from "./relay.ts";
import type { SessionTraffic } from "./sessions.ts";
import type { Transport } from "./transport.ts";

export interface ConnectionDependencies {
  readonly people: People;
  readonly ssh: Pick<SandboxSsh, "target">;
  readonly claude: Pick<ClaudeTerminals, "running" | "open">;
  /** Wakes a sandbox that sleeps. */
  readonly awaitReady: AwaitReady;
  /** Says that a sandbox is used, until the answer is called. */
  readonly hold: (sandboxId: string) => () => void;
  readonly agentForwarding: boolean;
  /** Writes down a jump through this connection. */
  readonly record: (jump: RecordedSession, sandbox: SandboxRow) => void;
  readonly log: FastifyBaseLogger;
}

/** Channels of one connection that may be open at a time. */
const maxChannels = 1000;

/**
 * The connection of one client that has signed in. With its first message it becomes a relay to a sandbox, a view of its
 * Claude, or what the gateway answers itself.
 */
export class GatewayConnection implements RecordedSession {
  readonly closed: Promise<void>;
  readonly who: Authenticated;
  readonly login: Login;
  readonly #deps: ConnectionDependencies;
  readonly #client: Connection;
  readonly #transport: Transport;
  readonly #sandbox: SandboxRow | undefined;
  readonly #hold: Hold;
  readonly #gone = new AbortController();
  #carries: { readonly traffic: SessionTraffic } | undefined;
  #endReason = "the client left";

  /** `sandbox` is what the login names, if it is the user's; `refusal` is told instead of anything else. */
  constructor(
    deps: ConnectionDependencies,
    parts: {
      client: Connection;
      transport: Transport;
      who: Authenticated;
      sandbox: SandboxRow | undefined;
      refusal: string | undefined;
      hold: Hold;
    },
  ) {
    this.#deps = deps;
    this.#client = parts.client;
    this.#transport = parts.transport;
    this.who = parts.who;
    this.login = readLogin(parts.who.username);
    this.#sandbox = parts.sandbox;
    this.closed = new Promise((resolve) => this.#client.once("close", () => resolve()));
    this.#client.once("close", () => this.#gone.abort());
    this.#hold = parts.hold;
    void this.#hold.first.then(() => this.#begin(parts.refusal)).catch(() => this.#transport.socket.destroy());
  }

  get sandbox(): { id: string; name: string } | undefined {
    return this.#sandbox && { id: this.#sandbox.id, name: this.#sandbox.name };
  }

  get traffic(): SessionTraffic {
    return this.#carries?.traffic ?? { bytesIn: 0, bytesOut: 0, channels: {} };
  }

  get endReason(): string {
    return this.#endReason;
  }

  /** Ends the connection, with a sentence that the client shows. */
  end(sentence: string): void {
    if (this.#gone.signal.aborted) return;
    this.#endReason = sentence;
    this.#transport.intercept(() => true);
    this.#transport.end(sentence);
  }

  async #begin(refusal: string | undefined): Promise<void> {
    try {
      if (refusal !== undefined) throw new Error(refusal);
      if (this.login.kind === "gateway") this.#serveGateway();
      else await this.#serveSandbox();
    } catch (error) {
      const sentence = error instanceof Error ? error.message : "Something went wrong in Berth.";
      this.#deps.log.info({ sandboxId: this.#sandbox?.id, reason: sentence }, "an SSH connection was refused");
      this.#refuse(sentence);
    }
  }

  #serveGateway(): void {
    const jump = new Jump({ find: (host) => this.#jumpTarget(host), record: this.#deps.record });
    this.#carries = jump;
    serveSessions(this.#client, (program) => {
      this.#list().then(
        (out) => finish(program, { out, code: 0 }),
        () => finish(program, { err: "berth: the sandboxes could not be read\n", code: 1 }),
      );
    });
    jump.serve(this.#client);
    this.#hold.release();
  }

  async #serveSandbox(): Promise<void> {
    if (!this.#sandbox) throw new Error(await this.#unknownSandbox());
    const row = await this.#used(this.#sandbox);
    if (this.login.kind === "sandbox" && this.login.claude) {
      const view = new ClaudeView(this.#deps.claude, row);
      this.#carries = view;
      this.#gone.signal.addEventListener("abort", () => view.close());
      if (this.#gone.signal.aborted) view.close();
      serveSessions(this.#client, (program) => void view.show(program));
      this.#hold.release();
      return;
    }
    const { connection, transport } = await reachSandbox(this.#deps.ssh, row, this.#gone.signal);
    if (this.#gone.signal.aborted) {
      connection.client.destroy();
      return;
    }
    const relay = new Relay(this.#transport, transport, {
      agentForwarding: this.#deps.agentForwarding,
      maxChannels,
      destination: (host, port) => ownServer(row, host, port),
    });
    this.#carries = relay;
    this.#gone.signal.addEventListener("abort", () => connection.client.end());
    connection.client.once("close", () => this.end(`the connection to the sandbox "${row.name}" has ended`));
    this.#hold.release((payload) => relay.fromClient(payload));
  }

  /** Tells every program that is asked for why it cannot be. */
  #refuse(sentence: string): void {
    serveSessions(this.#client, (program) => finish(program, { err: `berth: ${sentence}\n`, code: noConnectionCode }));
    this.#endReason = sentence.slice(0, 200);
    this.#hold.release();
  }

  async #jumpTarget(host: string): Promise<SandboxRow> {
    const row = await this.#deps.people.sandbox(host, this.who.userIds);
    const found = row ?? (await this.#deps.people.sandboxAt(host, this.who.userIds));
    if (!found) throw new Error(`you have no sandbox called "${printable(host)}"`);
    return this.#used(found);
  }

  /** A sandbox once it is ready and its address is known; it counts as used for as long as this connection lasts. */
  async #used({ id }: SandboxRow): Promise<SandboxRow> {
    const release = this.#deps.hold(id);
    this.#gone.signal.addEventListener("abort", release, { once: true });
    if (this.#gone.signal.aborted) release();
    return this.#deps.awaitReady(id, { signal: this.#gone.signal, addressed: true });
  }

  async #unknownSandbox(): Promise<string> {
    const name = this.login.kind === "sandbox" ? this.login.reference : printable(this.who.username);
    return `you have no sandbox called "${name}".\n${await this.#list()}`;
  }

  async #list(): Promise<string> {
    const rows = await this.#deps.people.sandboxes(this.who.userIds);
    if (rows.length === 0) return "You have no sandboxes.\n";
    const width = Math.max(...rows.map(({ name }) => name.length));
    return rows.map(({ name, state }) => `${name.padEnd(width)}  ${state}\n`).join("");
  }
}

/** Where the sandbox's own SSH server is, asked for by a name of the sandbox's (`ssh -J`). */
function ownServer(row: SandboxRow, host: string, port: number): { host: string; port: number } | undefined {
  const sshPort = row.ssh_port ?? 22;
  if (row.address === null || ![row.name, row.id, row.address].includes(host)) return undefined;
  return port === 22 || port === sshPort ? { host: row.address, port: sshPort } : undefined;
}
