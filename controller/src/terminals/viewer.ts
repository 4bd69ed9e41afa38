import { type AttachParams, parseClientMessage, serverMessageSchema } from "@berth/protocol";
import { type Channel, terminalChannelKind } from "@berth/protocol/link";
import { Compile } from "typebox/compile";
import type { AgentLink } from "../agents/link.ts";
import type { AgentRegistry } from "../agents/registry.ts";
import { watchHeartbeat } from "../heartbeat.ts";
import type { ViewerSocket } from "./viewer-socket.ts";

const serverMessage = Compile(serverMessageSchema);

/** How long a viewer waits for the sandbox's agent before it is told to come back, in milliseconds. */
const agentWaitMs = 20_000;
const pingMs = 30_000;
/** What may wait in a viewer's socket beyond the window, such as messages that an agent sends without end, in bytes. */
const maxBufferedBytes = 8 * 1024 * 1024;

/** Ends of a channel after which the viewer finds the terminal again by attaching anew. */
const comesBack: ReadonlySet<string> = new Set([
  "link_closed",
  "pty_host_unavailable",
  "agent_link_closed",
  "restarted",
]);

/** WebSocket close codes (RFC 6455, section 7.4.1, and its registry). */
const closeCodes = { normal: 1000, policy: 1008, error: 1011, restart: 1012, later: 1013 } as const;

export interface ViewerDependencies {
  registry: AgentRegistry;
  /** Resolves when a terminal that is being made is there. */
  made(terminalId: string): Promise<void>;
}

/**
 * Joins a viewer's socket and a channel to the terminal. It holds nothing of the terminal: bytes pass through, credit
 * goes back when the socket has taken them, and a cut on either side is a close here, after which the viewer comes back
 * with the offset that it has.
 */
export async function serveViewer(
  socket: ViewerSocket,
  { registry, made }: ViewerDependencies,
  sandboxId: string,
  params: AttachParams,
): Promise<void> {
  const gone = new AbortController();
  socket.once("close", () => gone.abort());
  socket.on("error", () => socket.terminate());
  // What the viewer sends before the channel is there waits in its socket.
  socket.pause();
  const link = await registry.waitFor(sandboxId, agentWaitMs, gone.signal);
  await made(params.terminalId);
  if (gone.signal.aborted) return;
  socket.resume();
  if (!link) {
    return refuse(
      socket,
      "sandbox_not_ready",
      "The sandbox's agent is not connected: start the sandbox, or wait for it.",
      closeCodes.later,
    );
  }
  join(socket, link, params);
}

function join(socket: ViewerSocket, link: AgentLink, params: AttachParams): void {
  const channel = link.openChannel(terminalChannelKind, params);
  const input = new InputQueue(socket, channel);
  watchHeartbeat(socket, pingMs);
  socket.once("close", () => channel.close());
  passOutput(socket, channel, () => input.flush());
  if (params.readOnly) takeAcknowledgements(socket, channel);
  else passInput(socket, channel, input);
}

function passOutput(socket: ViewerSocket, channel: Channel, onCredit: () => void): void {
  let attached = false;
  const broken = (reason: string) => {
    channel.close({ code: "violation", detail: reason });
    refuse(socket, "internal", "The sandbox's agent answered nonsense.", closeCodes.error);
  };
  channel.handle({
    onData: (payload) => {
      if (!attached) return broken("bytes before the attach was answered");
      const bytes = payload.byteLength;
      socket.send(payload, { binary: true }, () => channel.consumed(bytes));
    },
    onMessage: (message) => {
      if (!serverMessage.Check(message) || (message.type === "attached") === attached)
        return broken("not a message for a viewer");
      attached = true;
      socket.send(JSON.stringify(message));
      if (socket.bufferedAmount > maxBufferedBytes) socket.terminate();
    },
    onCredit,
    onClose: ({ code, detail }) => {
      if (code === undefined) socket.close(closeCodes.normal);
      else if (comesBack.has(code)) socket.close(closeCodes.restart, code);
      else refuse(socket, code, detail ?? "The terminal cannot be shown.", closeCodes.policy);
    },
  });
}

function passInput(socket: ViewerSocket, channel: Channel, input: InputQueue): void {
  socket.on("message", (data: Buffer, isBinary) => {
    if (isBinary) return input.push(data);
    const message = parseClientMessage(data.toString("utf8"));
    if (message) return channel.sendMessage(message);
    channel.close();
    refuse(socket, "invalid_request", "That is no control message of the attach protocol.", closeCodes.policy);
  });
}

/** Of what a viewer sends who may only look, nothing but acknowledgements goes on; sizes are left aside. */
function takeAcknowledgements(socket: ViewerSocket, channel: Channel): void {
  socket.on("message", (data: Buffer, isBinary) => {
    const message = isBinary ? undefined : parseClientMessage(data.toString("utf8"));
    if (message?.type === "ack") return channel.sendMessage(message);
    if (message) return;
    channel.close();
    if (isBinary) refuse(socket, "forbidden", "Who looks by a share cannot type.", closeCodes.policy);
    else refuse(socket, "invalid_request", "That is no control message of the attach protocol.", closeCodes.policy);
  });
}

/**
 * Input that the channel's window has no room for. The socket is paused at once, so that what waits here is no more than
 * what its parser had already read.
 */
class InputQueue {
  readonly #socket: ViewerSocket;
  readonly #channel: Channel;
  #waiting: Buffer[] = [];

  constructor(socket: ViewerSocket, channel: Channel) {
    this.#socket = socket;
    this.#channel = channel;
  }

  push(data: Buffer): void {
    if (data.byteLength === 0) return;
    this.#waiting.push(data);
    this.flush();
  }

  flush(): void {
    while (this.#waiting.length > 0 && this.#channel.creditBytes > 0) {
      const next = this.#waiting.shift();
      if (next) this.#channel.send(next);
    }
    if (this.#waiting.length === 0) this.#socket.resume();
    else if (!this.#channel.closed) this.#socket.pause();
  }
}

/** Says why, and closes. */
export function refuse(socket: ViewerSocket, code: string, detail: string, closeCode: number): void {
  socket.send(JSON.stringify({ type: "error", code, detail }));
  socket.close(closeCode, code);
}
