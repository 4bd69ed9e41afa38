import {
  BerthError,
  type Client,
  downloadArchive,
  problemError,
  type RouteResult,
  readFile,
  routeUrl,
  statFiles,
  writeFile,
} from "@berth/protocol";
import { sendBody } from "../api/send-body.ts";
import { addressOf, type WorkspacePlace } from "./place.ts";

/** What the console shows of a file by itself; what is larger is downloaded. */
export const viewLimits = { textBytes: 2 * 1024 * 1024, imageBytes: 10 * 1024 * 1024 } as const;

/** What there is at a place, as it can be shown. */
export type Content =
  | { readonly kind: "text"; readonly text: string; readonly version: string; readonly bytes: number }
  | { readonly kind: "image"; readonly dataUrl: string; readonly version: string; readonly bytes: number }
  /** Neither text nor a picture. */
  | { readonly kind: "binary"; readonly bytes: number }
  | { readonly kind: "large"; readonly bytes: number }
  | { readonly kind: "folder" }
  | { readonly kind: "link"; readonly target: string }
  /** A device, a socket, a pipe. */
  | { readonly kind: "special" };

/** What a write must find: the version that was read, or nothing; undefined: whatever is there is overwritten. */
export type Expected = { readonly version: string } | "absent" | undefined;

/** The files of a sandbox, read and written. Calls reject with `BerthError`. */
export interface FileContents {
  /** `not_found` where there is nothing. */
  read(place: WorkspacePlace, signal: AbortSignal): Promise<Content>;
  /** Answers the new version. `conflict`: something else is there than was expected. */
  write(options: WriteOptions): Promise<RouteResult<typeof writeFile>>;
}

export interface WriteOptions {
  place: WorkspacePlace;
  body: Blob;
  expected: Expected;
  signal: AbortSignal;
  onProgress?: (bytes: number) => void;
}

/** Where a file is downloaded from. */
export function fileUrl(sandboxId: string, place: WorkspacePlace): string {
  return routeUrl(readFile, { params: { id: sandboxId }, query: addressOf(place) });
}

/** Where a folder, or a file of any size, is downloaded from as a zip. */
export function zipUrl(sandboxId: string, place: WorkspacePlace): string {
  return routeUrl(downloadArchive, { params: { id: sandboxId }, query: { ...addressOf(place), format: "zip" } });
}

/** The files of a sandbox by the controller's API. */
export function contentsOf(api: Client, sandboxId: string): FileContents {
  return {
    read: async (place, signal) => {
      const body = "pathBytes" in addressOf(place) ? { pathsBytes: [place.pathBytes ?? ""] } : { paths: [place.path] };
      const { items } = await api.call(statFiles, { params: { id: sandboxId }, body }, { signal });
      const facts = items[0];
      if (!facts) throw new BerthError("not_found", "There is nothing of that name any more.");
      if (facts.type === "folder") return { kind: "folder" };
      if (facts.type === "link") return { kind: "link", target: facts.target ?? "" };
      if (facts.type === "other") return { kind: "special" };
      if (facts.size > viewLimits.imageBytes) return { kind: "large", bytes: facts.size };
      return readBytes(fileUrl(sandboxId, place), facts.size, signal);
    },
    write: ({ place, body, expected, signal, onProgress }) => {
      const version = expected === undefined || expected === "absent" ? {} : { version: expected.version };
      const url = routeUrl(writeFile, { params: { id: sandboxId }, query: { ...addressOf(place), ...version } });
      const headers: Record<string, string> = expected === "absent" ? { "if-none-match": "*" } : {};
      return sendBody(writeFile, { url, body, headers, signal, ...(onProgress ? { onProgress } : {}) });
    },
  };
}

async function readBytes(url: string, size: number, signal: AbortSignal): Promise<Content> {
  const answer = await fetch(url, { credentials: "same-origin", signal });
  if (!answer.ok) throw problemError(answer.status, await answer.text());
  const type = answer.headers.get("content-type") ?? "";
  const version = /^"(.*)"$/.exec(answer.headers.get("etag") ?? "")?.[1] ?? "";
  if (type.startsWith("image/")) {
    // The page's policy admits no other picture from memory; and by its own URL a browser may show a former one.
    const dataUrl = await dataUrlOf(new Blob([await answer.arrayBuffer()], { type }));
    return { kind: "image", dataUrl, version, bytes: size };
  }
  if (!type.startsWith("text/") || size > viewLimits.textBytes) {
    await answer.body?.cancel();
    return { kind: type.startsWith("text/") ? "large" : "binary", bytes: size };
  }
  const bytes = await answer.arrayBuffer();
  const text = textOf(bytes);
  if (text === undefined) return { kind: "binary", bytes: bytes.byteLength };
  return { kind: "text", text, version, bytes: bytes.byteLength };
}

/** Only what comes back the same when it is written is text. */
function textOf(bytes: ArrayBuffer): string | undefined {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    return text.includes("\0") ? undefined : text;
  } catch {
    return undefined;
  }
}

function dataUrlOf(blob: Blob): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}
