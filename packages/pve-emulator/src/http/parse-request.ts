import type { IncomingMessage } from "node:http";
import type { RawParameters } from "../schema/parameter.ts";
import { ApiError } from "./api-error.ts";

/** Bytes of a body; PVE draws the line at the same place. */
const maxBodyBytes = 64 * 1024;

/** An error whose text is the body, not JSON. */
export class PlainTextError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** The path below `/api2/json` without a final slash, and the query; undefined for any other path. */
export function splitTarget(target: string): { path: string; query: string } | undefined {
  const [whole = "", query = ""] = target.split(/\?(.*)/s);
  const path = /^\/api2\/json(\/.*)?$/.exec(whole)?.[1];
  return path === undefined ? undefined : { path: decode(path.replace(/(.)\/+$/, "$1")), query };
}

/** Segments are decoded one by one where routes match; here only what a client may encode without need. */
function decode(path: string): string {
  return path
    .split("/")
    .map((segment) => {
      try {
        return decodeURIComponent(segment).replaceAll("/", "%2F");
      } catch {
        return segment;
      }
    })
    .join("/");
}

/** All parameters of a request but those in its path. A key that is given twice becomes a list, which nothing takes. */
export async function readParameters(request: IncomingMessage, query: string): Promise<RawParameters> {
  const lengthBytes = Number(request.headers["content-length"] ?? 0);
  const type = (request.headers["content-type"] ?? "").split(";")[0]?.trim().toLowerCase() ?? "";
  if (lengthBytes === 0) return parseForm(query);
  if (request.method === "DELETE" || request.method === "GET") {
    throw new ApiError(501, `Unexpected content for method '${request.method}'`);
  }
  if (lengthBytes > maxBodyBytes) throw new ApiError(501, "for data too large");
  const body = await readBody(request);
  if (type === "application/json") return { ...parseForm(query), ...parseJson(body) };
  if (type === "application/x-www-form-urlencoded" || type === "") return { ...parseForm(query), ...parseForm(body) };
  throw new PlainTextError(506, `upload 'Content-Type '${type}' not implemented`);
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString("utf8");
}

function parseForm(text: string): RawParameters {
  const parameters: Record<string, unknown> = {};
  for (const [name, value] of new URLSearchParams(text)) {
    const known = parameters[name];
    parameters[name] = known === undefined ? value : [known, value].flat();
  }
  return parameters;
}

function parseJson(text: string): RawParameters {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new PlainTextError(500, error instanceof Error ? error.message : "malformed JSON");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new PlainTextError(500, "JSON parameters must be an object");
  }
  return { ...value };
}
