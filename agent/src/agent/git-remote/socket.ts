import { once } from "node:events";
import { chmod, rm } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { parseJson } from "@berth/protocol";
import {
  type Channel,
  ChannelBytes,
  ChannelClosed,
  type GitRemoteParams,
  gitRemoteChannelKind,
  gitRemoteParamsSchema,
} from "@berth/protocol/link";
import { Value } from "typebox/value";
import { errorText, type Log } from "../../log.ts";
import { encodeFrame, frameKinds } from "./frames.ts";

/** In the folder of the PTY host's socket, and named relative to it for the same reason. */
export const gitSocketName = "git.sock";

export interface GitRemoteSocketOptions {
  readonly log: Log;
  /** Opens a channel to the controller; undefined while there is no link. */
  open(kind: string, params: GitRemoteParams): Channel | undefined;
}

/** Longer is no request. */
const maxRequestBytes = 8 * 1024;

/** Where git in the sandbox is joined to the controller, which alone has the credentials of the project's remote. */
export class GitRemoteSocket {
  readonly #options: GitRemoteSocketOptions;
  readonly #server: Server;
  readonly #connections = new Set<Socket>();

  constructor(options: GitRemoteSocketOptions) {
    this.#options = options;
    this.#server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (connection) => {
      this.#connections.add(connection);
      connection.once("close", () => this.#connections.delete(connection));
      // Its reader and its writer are told, too.
      connection.on("error", () => connection.destroy());
      void this.#serve(connection);
    });
  }

  /** Listens in the working folder. Rejects with the system's error. */
  async listen(): Promise<void> {
    await rm(gitSocketName, { force: true });
    this.#server.listen({ path: gitSocketName });
    await once(this.#server, "listening");
    await chmod(gitSocketName, 0o600);
  }

  /** Ends every conversation. */
  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const connection of this.#connections) connection.destroy();
    await closed;
  }

  async #serve(connection: Socket): Promise<void> {
    const chunks = chunksOf(connection);
    try {
      const { request, rest } = await readRequest(chunks);
      const channel = this.#options.open(gitRemoteChannelKind, request);
      if (!channel) throw new ChannelClosed({ code: "link_closed" });
      await join(connection, chunks, rest, new ChannelBytes(channel));
      connection.end(encodeFrame(frameKinds.done));
    } catch (error) {
      if (!(error instanceof ChannelClosed))
        this.#options.log.info("a git had no answer", { reason: errorText(error) });
      connection.end(encodeFrame(frameKinds.failed, Buffer.from(toldReason(error))));
    }
  }
}

/** Passes git's bytes on, both ways, until the controller has said all. Rejects with `ChannelClosed`. */
async function join(
  connection: Socket,
  chunks: AsyncIterator<Buffer>,
  first: Buffer,
  bytes: ChannelBytes,
): Promise<void> {
  const onGone = () => bytes.close({ code: "cancelled", detail: "git in the sandbox has ended" });
  connection.once("close", onGone);
  try {
    await bytes.ready();
    await write(connection, encodeFrame(frameKinds.ready));
    const sending = send(chunks, first, bytes);
    // What goes wrong with it closes the channel, which the other direction is told.
    sending.catch(() => bytes.close({ code: "cancelled", detail: "git in the sandbox has ended" }));
    for await (const chunk of bytes.read()) await write(connection, encodeFrame(frameKinds.data, chunk));
  } finally {
    connection.off("close", onGone);
    bytes.close();
  }
}

async function send(chunks: AsyncIterator<Buffer>, first: Buffer, bytes: ChannelBytes): Promise<void> {
  if (first.byteLength > 0) await bytes.write(first);
  for (let next = await chunks.next(); !next.done; next = await chunks.next()) await bytes.write(next.value);
  bytes.end();
}

async function write(connection: Socket, bytes: Buffer): Promise<void> {
  if (connection.destroyed) throw new ChannelClosed({ code: "cancelled" });
  if (connection.write(bytes)) return;
  const over = new AbortController();
  const { signal } = over;
  await Promise.race([once(connection, "drain", { signal }), once(connection, "close", { signal })]).finally(() =>
    over.abort(),
  );
}

async function readRequest(chunks: AsyncIterator<Buffer>): Promise<{ request: GitRemoteParams; rest: Buffer }> {
  let text: Buffer = Buffer.alloc(0);
  for (;;) {
    const end = text.indexOf(0x0a);
    if (end !== -1) {
      const request = parseJson(text.subarray(0, end).toString());
      if (!Value.Check(gitRemoteParamsSchema, request)) throw new Error("that is no request");
      return { request, rest: text.subarray(end + 1) };
    }
    const next = await chunks.next();
    if (next.done || text.byteLength > maxRequestBytes) throw new Error("that is no request");
    text = Buffer.concat([text, next.value]);
  }
}

async function* chunksOf(connection: Socket): AsyncGenerator<Buffer, void, void> {
  // Closed by its owner, also where its reader stops before the end.
  for await (const chunk of connection.iterator({ destroyOnReturn: false })) {
    if (Buffer.isBuffer(chunk)) yield chunk;
  }
}

function toldReason(error: unknown): string {
  if (!(error instanceof ChannelClosed)) return "the agent of this sandbox could not do it";
  const { code, detail } = error.reason;
  if (code === "link_closed" || code === "agent_link_closed") {
    return "the controller of this sandbox cannot be reached now, and only it can reach the remote; try again in a while";
  }
  return detail ?? code ?? "the controller ended it";
}
