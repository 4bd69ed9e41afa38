import { Readable } from "node:stream";
import type { Route } from "@berth/protocol";
import type { Api } from "./api.ts";
import { add, inputOf, type MountedInput } from "./mount.ts";
import { inputValidator } from "./validation.ts";

/** A file that is made as it is read. */
export interface Download {
  readonly fileName: string;
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
    const { fileName, body } = await open({ ...inputOf(route, validate, request, reply), signal });
    reply.code(route.status).type(route.mediaType ?? "application/octet-stream");
    reply.header("content-disposition", `attachment; filename="${fileName.replace(/[^A-Za-z0-9._-]/g, "_")}"`);
    reply.header("cache-control", "no-store");
    return reply.send(
      Readable.from(
        whileTaken(body, () => reply.raw.destroy()),
        { objectMode: false },
      ),
    );
  });
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
