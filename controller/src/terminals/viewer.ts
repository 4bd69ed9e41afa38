import { type AttachParams, BerthError, parseClientMessage, serverMessageSchema } from "@berth/protocol";
import { type Channel, terminalChannelKind } from "@berth/protocol/link";
import { Compile } from "typebox/compile";
import type { AgentLink } from "../agents/link.ts";
import type { AgentRegistry } from "../agents/registry.ts";
import { watchHeartbeat } from "../heartbeat.ts";
import type { Sleepers } from "../sleep/waking.ts";
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
  /** Absent: for those who may only look, and wake nobody. */
  sleepers?: Sleepers;
  /** Says that somebody looks, until the answer is called. */
  hold(sandboxId: string): () => void;
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
  deps: ViewerDependencies,
  sandboxId: string,
  params: AttachParams,
): Promise<void> {
  const gone = new AbortController();
  const release = deps.hold(sandboxId);
  socket.once("close", () => {
    release();
    gone.abort();
  });
  socket.on("error", () => socket.terminate());
  // What the viewer sends before the channel is there waits in its socket.
  socket.pause();
  const problem = await wake(deps, sandboxId, gone.signal);
  const link = problem ? undefined : await deps.registry.waitFor(sandboxId, agentWaitMs, gone.signal);
  await deps.made(params.terminalId);
  if (gone.signal.aborted) return;
  socket.resume();
  if (link) return join(socket, link, params, async () => (await deps.sleepers?.isToSleep(sandboxId)) ?? false);
  const detail = problem?.message ?? "The sandbox's agent is not connected: start the sandbox, or wait for it.";
  refuse(socket, "sandbox_not_ready", detail, closeCodes.later);
}

/** Answers why a sandbox that sleeps was not woken. Any other is not looked at: its agent may come at any moment. */
async function wake(
  { sleepers }: ViewerDependencies,
  sandboxId: string,
  signal: AbortSignal,
): Promise<BerthError | undefined> {
  try {
    await sleepers?.awaken(sandboxId, { signal });
    return undefined;
  } catch (error) {
    if (error instanceof BerthError) return error;
    return new BerthError("sandbox_not_ready", "The sandbox could not be woken.", { cause: error });
  }
}

type IsToSleep = () => Promise<boolean>;

function join(socket: ViewerSocket, link: AgentLink, params: AttachParams, isToSleep: IsToSleep): void {
  const channel = link.openChannel(terminalChannelKind, params);
  const input = new InputQueue(socket, channel);
  watchHeartbeat(socket, pingMs);
  socket.once("close", () => channel.close());
  passOutput(socket, channel, { onCredit: () => input.flush(), isToSleep });
  if (params.readOnly) takeAcknowledgements(socket, channel);
  else passInput(socket, channel, input);
}

function passOutput(
  socket: ViewerSocket,
  channel: Channel,
  { onCredit, isToSleep }: { onCredit: () => void; isToSleep: IsToSleep },
): void {
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
      else if (comesBack.has(code)) void cutOff(socket, code, isToSleep);
      else refuse(socket, code, detail ?? "The terminal cannot be shown.", closeCodes.policy);
    },
  });
}

/** The viewer comes back by itself, but not to what has just been put to sleep: that would wake it. */
async function cutOff(socket: ViewerSocket, code: string, isToSleep: IsToSleep): Promise<void> {
  const asleep = await isToSleep().catch(() => false);
  if (asleep)
    refuse(socket, "sandbox_asleep", "The sandbox was put to sleep. Attach again to wake it.", closeCodes.policy);
  else socket.close(closeCodes.restart, code);
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
