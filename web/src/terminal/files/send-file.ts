import { BerthError, dropFile, parseJson, problemError, type RouteResult, routeUrl } from "@berth/protocol";
import { Value } from "typebox/value";

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
 * Sends a file to a terminal's sandbox and has its path typed. By XMLHttpRequest, since `fetch` tells no progress of what
 * it sends. Rejects with `BerthError`, and with an `AbortError` when aborted.
 */
export function sendFile(options: SendFileOptions): Promise<RouteResult<typeof dropFile>> {
  const { terminalId, name, file, key, signal, onProgress } = options;
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const abort = () => request.abort();
    request.open(dropFile.method, routeUrl(dropFile, { params: { id: terminalId }, query: { name, type: true } }));
    request.setRequestHeader("content-type", "application/octet-stream");
    request.setRequestHeader("idempotency-key", key);
    request.upload.onprogress = ({ loaded }) => onProgress(loaded);
    request.onload = () => {
      try {
        resolve(answerOf(request));
      } catch (error) {
        reject(error);
      }
    };
    request.onerror = () =>
      reject(
        new BerthError("not_ready", "The connection broke off.", {
          hint: "Check that this device reaches the controller, then try again.",
        }),
      );
    request.onabort = () => reject(new DOMException("cancelled", "AbortError"));
    request.onloadend = () => signal.removeEventListener("abort", abort);
    signal.addEventListener("abort", abort);
    request.send(file);
  });
}

function answerOf({ status, responseText }: XMLHttpRequest): RouteResult<typeof dropFile> {
  if (status !== dropFile.status) throw problemError(status, responseText);
  const answer = parseJson(responseText);
  if (Value.Check(dropFile.result, answer)) return answer;
  throw new BerthError("internal", "The server's answer does not fit its own contract: are its versions mixed?");
}
