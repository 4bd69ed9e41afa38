import { dropFile, type RouteResult, routeUrl } from "@berth/protocol";
import { sendBody } from "../../api/send-body.ts";

export interface SendFileOptions {
  terminalId: string;
  name: string;
  file: Blob;
  /** The same for each attempt: a file whose answer got lost is not put there twice. */
  key: string;
  signal: AbortSignal;
  /** So many bytes have left this browser. */
  onProgress: (bytes: number) => void;
}

/**
 * Sends a file to a terminal's sandbox and has its path typed. Rejects with `BerthError`, and with an `AbortError` when
 * aborted.
 */
export function sendFile(options: SendFileOptions): Promise<RouteResult<typeof dropFile>> {
  const { terminalId, name, file, key, signal, onProgress } = options;
  const url = routeUrl(dropFile, { params: { id: terminalId }, query: { name, type: true } });
  return sendBody(dropFile, { url, body: file, headers: { "idempotency-key": key }, signal, onProgress });
}
