import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "@berth/base";
import {
  type AttachParams,
  attachLimits,
  type ServerMessage,
  serverMessageSchema,
  type TerminalStatus,
} from "@berth/protocol";
import { type Channel, type CloseReason, terminalChannelKind } from "@berth/protocol/link";
import { Value } from "typebox/value";
import { PtyHostLink } from "../../src/agent/pty-host-link.ts";
import { createLog } from "../../src/log.ts";

const silent = createLog("test", () => {});

/** A folder that stands for a container's root; deleted by `remove`. */
export function temporaryRoot(): { path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), "berth-agent-"));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** Starts one of the programs from its source, by way of `starter` if that is given. */
export function startProgram(
  name: "pty-host" | "agent",
  root: string,
  env: Record<string, string> = {},
  starter: readonly string[] = [],
): ChildProcess {
  const command = [...starter, process.execPath, join(import.meta.dirname, `../../src/${name}/main.ts`)];
  const [file = "", ...args] = command;
  return spawn(file, args, {
    env: { PATH: process.env.PATH, BERTH_ROOT: root, ...env },
    stdio: ["pipe", "pipe", process.env.BERTH_TEST_LOG ? "inherit" : "pipe"],
  });
}

/** Ends a program; resolves when it is gone. */
export async function endProgram(program: ChildProcess, signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
  if (program.exitCode !== null || program.signalCode !== null) return;
  const gone = new Promise((resolve) => program.once("exit", resolve));
  program.kill(signal);
  await gone;
}

/** A connection to a PTY host, as the agent has one. Resolves when it stands. */
export async function connectPtyHost(
  root: string,
  onTerminal: (status: TerminalStatus) => void = () => {},
): Promise<{ link: PtyHostLink; close(): Promise<void> }> {
  const ended = new AbortController();
  const link = new PtyHostLink({ path: join(root, "run/berth/pty.sock"), clock: systemClock, log: silent, onTerminal });
  const connected = Promise.withResolvers<void>();
  const running = link.run(async () => connected.resolve(), ended.signal);
  void link.want();
  await connected.promise;
  const close = async () => {
    ended.abort();
    await running;
  };
  return { link, close };
}

/** Waits until a condition holds; throws after `timeoutMs`. */
export async function until(condition: () => boolean | Promise<boolean>, timeoutMs = 10_000): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error("what was waited for did not come");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** A viewer that counts as a browser does, and keeps all it got. */
export class TestViewer {
  readonly messages: ServerMessage[] = [];
  readonly channel: Channel;
  readonly #chunks: Buffer[] = [];
  snapshot: Buffer | undefined;
  epoch = 0;
  /** Where the output that it has ends. */
  offset = 0;
  /** Where the output that it has, without a gap, begins. */
  firstOffset = 0;
  closed: CloseReason | undefined;
  /** Acknowledges everything at once. */
  acknowledges = false;
  #snapshotDue = false;

  constructor(channel: Channel) {
    this.channel = channel;
    channel.handle({
      onData: (payload) => this.#data(payload),
      onMessage: (message) => this.#message(message),
      onClose: (reason) => {
        this.closed = reason;
      },
    });
  }

  /** Output since the last snapshot, or since where it resumed. */
  get output(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  get text(): string {
    return this.output.toString("utf8");
  }

  get attached(): Extract<ServerMessage, { type: "attached" }> | undefined {
    return this.messages.find((message) => message.type === "attached");
  }

  #data(payload: Uint8Array): void {
    this.channel.consumed(payload.byteLength);
    if (this.#snapshotDue) {
      this.#snapshotDue = false;
      this.snapshot = Buffer.from(payload);
      return;
    }
    this.#chunks.push(Buffer.from(payload));
    this.offset += payload.byteLength;
    if (this.acknowledges) this.channel.sendMessage({ type: "ack", offset: this.offset });
  }

  #message(message: unknown): void {
    if (!Value.Check(serverMessageSchema, message)) throw new Error("not a server message");
    this.messages.push(message);
    if (message.type !== "attached" && message.type !== "resync") return;
    this.epoch = message.epoch;
    this.offset = message.offset;
    this.firstOffset = message.offset;
    this.#chunks.length = 0;
    this.#snapshotDue = message.type === "resync" || message.mode === "snapshot";
  }
}

/** Attaches a viewer over a PTY host's link. */
export function attach(link: PtyHostLink, terminalId: string, more: Partial<AttachParams> = {}): TestViewer {
  const params = { terminalId, scrollbackLines: attachLimits.defaultScrollbackLines, readOnly: false, ...more };
  const channel = link.open(terminalChannelKind, params);
  if (!channel) throw new Error("there is no PTY host");
  return new TestViewer(channel);
}
