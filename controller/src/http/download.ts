import { Readable } from "node:stream";
import type { Route } from "@berth/protocol";
import type { Api } from "./api.ts";
import { add, inputOf, type MountedInput } from "./mount.ts";
import { inputValidator } from "./validation.ts";

/** A file that is made as it is read. */
export interface Download {
  readonly fileName: string;
  /** To be shown by a browser, rather than kept. */
  readonly inline?: boolean;
  /** Unset: the route's. */
  readonly status?: 200 | 206 | 304;
  /** Unset: the route's. */
  readonly mediaType?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Ends with the file; a failure cuts the answer, which the client sees. Returned when nobody reads it any more. */
  readonly body: AsyncIterable<Buffer>;
}

export type DownloadInput<R extends Route> = MountedInput<R> & {
  /** Aborts when the client has gone or has not taken anything for long, and when the server closes. */
  readonly signal: AbortSignal;
};

/** How long a client may take nothing, in milliseconds. */
const stalledMs = 60_000;

/**
 * Serves a route that is a file, no faster than the client reads. `open` may refuse with a `BerthError`, which is a plain
 * HTTP answer; it has the first bytes when it answers.
 */
export function mountDownload<R extends Route>(
  api: Api,
  route: R,
  open: (input: DownloadInput<R>) => Promise<Download>,
): void {
  const validate = inputValidator(route);
  add(api, route, async (request, reply) => {
    const gone = new AbortController();
    reply.raw.once("close", () => gone.abort());
    const signal = AbortSignal.any([gone.signal, api.closing]);
    const download = await open({ ...inputOf(route, validate, request, reply), signal });
    const { body, status = route.status, mediaType = route.mediaType ?? "application/octet-stream" } = download;
    reply.code(status).type(mediaType);
    reply.header("content-disposition", dispositionOf(download));
    reply.header("cache-control", "no-store");
    reply.headers(download.headers ?? {});
    if (status === 304) return reply.send();
    return reply.send(
      Readable.from(
        whileTaken(body, () => reply.raw.destroy()),
        { objectMode: false },
      ),
    );
  });
}

/** A name of plain letters for all clients, and the whole one for those that know of others (RFC 6266). */
function dispositionOf({ fileName, inline = false }: Download): string {
  const plain = fileName.replace(/[^A-Za-z0-9._-]/g, "_");
  const kind = inline ? "inline" : "attachment";
  if (plain === fileName) return `${kind}; filename="${plain}"`;
  const whole = encodeURIComponent(fileName.toWellFormed()).replace(
    /['()*]/g,
    (letter) => `%${letter.charCodeAt(0).toString(16)}`,
  );
  return `${kind}; filename="${plain}"; filename*=UTF-8''${whole}`;
}

/** The same, but for a reader that takes nothing for `stalledMs`. */
async function* whileTaken(body: AsyncIterable<Buffer>, stalled: () => void): AsyncGenerator<Buffer> {
  for await (const bytes of body) {
    const timer = setTimeout(stalled, stalledMs);
    try {
      yield bytes;
    } finally {
      clearTimeout(timer);
    }
  }
}
