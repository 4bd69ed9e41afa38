import { parseJson } from "@berth/protocol";
import {
  type Channel,
  type CloseReason,
  type Multiplexer,
  type WorkspaceMethodName,
  type WorkspaceParams,
  workspaceChannelKind,
} from "@berth/protocol/link";
import { until } from "./pty-host.ts";

/** What came of a call. */
export interface Outcome {
  answer: unknown;
  body: Buffer;
  closed: CloseReason;
}

/** A call as the controller makes it, step by step as a test wants it. */
export class WorkspaceCall {
  readonly channel: Channel;
  ready = false;
  answer: unknown;
  closed: CloseReason | undefined;
  bytes = 0;
  readonly #chunks: Buffer[] = [];

  constructor(link: Multiplexer, call: string, params: unknown) {
    this.channel = link.open(workspaceChannelKind, { call, params });
    this.channel.handle({
      onData: (payload) => {
        this.#chunks.push(Buffer.from(payload));
        this.bytes += payload.byteLength;
        this.channel.consumed(payload.byteLength);
      },
      onMessage: (message) => {
        if (typeof message !== "object" || message === null || !("type" in message)) throw new Error("nonsense");
        if (message.type === "ready") this.ready = true;
        else if ("value" in message) this.answer = message.value;
      },
      onClose: (reason) => {
        this.closed = reason;
      },
    });
  }

  /** Sends bytes as the window lets it; stops where the channel is closed. */
  async send(bytes: Uint8Array, chunkBytes = 64 * 1024): Promise<void> {
    await until(() => this.ready || this.closed !== undefined);
    for (let offset = 0; offset < bytes.byteLength && !this.closed; offset += chunkBytes) {
      await until(() => this.channel.creditBytes > 0 || this.closed !== undefined);
      if (!this.closed) this.channel.send(bytes.subarray(offset, offset + chunkBytes));
    }
  }

  /** Sends the whole input, and waits for the end. */
  async whole(input?: Uint8Array): Promise<Outcome> {
    if (input) {
      await this.send(input);
      this.channel.sendMessage({ type: "end", bytes: input.byteLength });
    }
    await until(() => this.closed !== undefined);
    return { answer: this.answer, body: this.body, closed: this.closed ?? {} };
  }

  get body(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  /** The records so far. */
  get records(): unknown[] {
    return recordsIn(this.body);
  }
}

/** Does a call, which must succeed. */
export async function done<M extends WorkspaceMethodName>(
  link: Multiplexer,
  call: M,
  params: WorkspaceParams<M>,
  input?: Uint8Array,
): Promise<Outcome> {
  const outcome = await new WorkspaceCall(link, call, params).whole(input);
  if (outcome.closed.code !== undefined) throw new Error(`${outcome.closed.code}: ${outcome.closed.detail}`);
  return outcome;
}

/** Does a call, which must be refused; answers the code. */
export async function refused<M extends WorkspaceMethodName>(
  link: Multiplexer,
  call: M,
  params: WorkspaceParams<M>,
  input?: Uint8Array,
): Promise<string> {
  const { closed } = await new WorkspaceCall(link, call, params).whole(input);
  if (closed.code === undefined) throw new Error(`${call} was not refused`);
  return closed.code;
}

/** The records of an answer's bytes. */
export function recordsIn(body: Buffer): unknown[] {
  return body.toString().split("\n").slice(0, -1).map(parseJson);
}

/** A path as it goes over the link. */
export function linkPath(path: string | Buffer): string {
  return Buffer.from(path).toString("base64url");
}

/** Paths as the input of a call. */
export function asInput(paths: readonly (string | Buffer)[]): Buffer {
  return Buffer.concat(paths.flatMap((path) => [Buffer.from(path), Buffer.of(0)]));
}
