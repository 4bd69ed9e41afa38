import { BerthError, parseJson, problemError, type Route, type RouteResult } from "@berth/protocol";
import { Value } from "typebox/value";

export interface SendBodyOptions {
  /** As `routeUrl` makes it. */
  url: string;
  body: Blob;
  headers?: Readonly<Record<string, string>>;
  signal: AbortSignal;
  /** So many bytes have left this browser. */
  onProgress?: (bytes: number) => void;
}

/**
 * Calls a route whose body is a file. By XMLHttpRequest, since `fetch` tells no progress of what it sends. Rejects with
 * `BerthError`, and with an `AbortError` when aborted.
 */
export function sendBody<R extends Route>(route: R, options: SendBodyOptions): Promise<RouteResult<R>> {
  const { url, body, headers = {}, signal, onProgress } = options;
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const abort = () => request.abort();
    request.open(route.method, url);
    request.setRequestHeader("content-type", "application/octet-stream");
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.onprogress = ({ loaded }) => onProgress?.(loaded);
    request.onload = () => {
      try {
        resolve(answerOf(route, request));
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
    request.send(body);
  });
}

function answerOf<R extends Route>(route: R, { status, responseText }: XMLHttpRequest): RouteResult<R> {
  if (status !== route.status) throw problemError(status, responseText);
  const answer = parseJson(responseText);
  if (route.result && Value.Check(route.result, answer)) return answer as RouteResult<R>;
  throw new BerthError("internal", "The server's answer does not fit its own contract: are its versions mixed?");
}
