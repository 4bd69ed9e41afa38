import { WebSocket } from "ws";

/** The upgrade was refused. */
export class AttachRefused extends Error {
  override readonly name = "AttachRefused";
  /** The HTTP status. */
  readonly status: number;

  constructor(status: number, body: string) {
    super(`the terminal's upgrade was refused with ${status}: ${body}`);
    this.status = status;
  }
}

/** How a connection ended. */
export interface AttachClose {
  readonly code: number;
  readonly reason: string;
}

/** Who listens on a connection; frames come in the order of the wire. */
export interface ConnectionHandlers {
  /** Before any frame. */
  onOpen(socket: WebSocket): void;
  onBytes(bytes: Buffer): void;
  onText(text: string): void;
  onClose(close: AttachClose): void;
}

/** Opens one WebSocket; rejects with `AttachRefused` when the server answers the upgrade by a status. */
export function connect(
  url: URL,
  headers: Record<string, string>,
  ca: string | undefined,
  handlers: ConnectionHandlers,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, { headers, perMessageDeflate: false, ...(ca === undefined ? {} : { ca }) });
    let open = false;
    socket.once("unexpected-response", (request, response) => {
      let body = "";
      response.on("data", (chunk: Buffer) => {
        body = `${body}${chunk.toString("utf8")}`.slice(0, 2000);
      });
      response.once("close", () => {
        reject(new AttachRefused(response.statusCode ?? 0, body));
        request.destroy();
      });
    });
    socket.on("error", reject);
    socket.once("open", () => {
      open = true;
      handlers.onOpen(socket);
      resolve();
    });
    socket.on("message", (data, isBinary) => {
      const bytes = Buffer.isBuffer(data) ? data : Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data);
      if (isBinary) handlers.onBytes(bytes);
      else handlers.onText(bytes.toString("utf8"));
    });
    socket.once("close", (code, reason) => {
      if (open) handlers.onClose({ code, reason: reason.toString("utf8") });
      else reject(new Error(`the connection closed with ${code} before it was open`));
    });
  });
}
