/** What a call may say; undefined and null are left out, lists are joined by commas, booleans become 1 and 0. */
export type Parameters = Readonly<Record<string, unknown>>;

/** A request line's target and a body, for parameters in the place where PVE reads them for that method. */
export interface EncodedCall {
  /** Path and query. */
  readonly target: string;
  /** Form-encoded; undefined for GET and DELETE, whose parameters are in the query (PVE refuses a body there). */
  readonly body: Buffer | undefined;
}

/** Encodes a call. Throws a TypeError on a parameter that has no text, and a RangeError on a path that climbs. */
export function encodeCall(method: string, path: string, params: Parameters | undefined): EncodedCall {
  const form = encodeForm(params ?? {});
  const target = encodePath(path);
  if (method !== "GET" && method !== "DELETE") return { target, body: Buffer.from(form) };
  return { target: form === "" ? target : `${target}?${form}`, body: undefined };
}

function encodeForm(params: Parameters): string {
  const form = new URLSearchParams();
  for (const [key, value] of Object.entries(params)) {
    // Never a repeated key: PVE refuses those.
    if (value !== undefined && value !== null) form.append(key, textOf(key, value));
  }
  return form.toString();
}

function textOf(key: string, value: unknown): string {
  if (typeof value === "boolean") return value ? "1" : "0";
  if (typeof value === "string") return value;
  if (typeof value === "bigint" || (typeof value === "number" && Number.isFinite(value))) return String(value);
  if (Array.isArray(value)) return value.map((item) => textOf(key, item)).join(",");
  throw new TypeError(`the parameter ${key} has no text: ${typeof value}`);
}

/** proxmox-api's proxy escapes only the slashes of the ids that it puts into a path; the rest is done here. */
function encodePath(path: string): string {
  return path
    .split("/")
    .map((segment) => segment.replaceAll("%2F", "/"))
    .map((segment) => {
      if (segment === "." || segment === "..") throw new RangeError(`a path that climbs: ${path}`);
      return encodeURIComponent(segment);
    })
    .join("/");
}
