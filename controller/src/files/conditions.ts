import type { IncomingHttpHeaders } from "node:http";
import { BerthError } from "@berth/protocol";

/** What must be there, for a change to take place. */
export type Expected = { version: string } | { absent: true };

/** A part of a file: the first byte and the one behind the last, or so many at the end. */
export type ByteRange = { from: number; to?: number } | { last: number };

const tag = /^"([0-9a-f]{32})"$/;

/** What `If-Match` and `If-None-Match` want, or the version of the query. Throws `invalid_request`. */
export function expectedOf(headers: IncomingHttpHeaders, version: string | undefined): Expected | undefined {
  const { "if-match": match, "if-none-match": noneMatch } = headers;
  if (noneMatch !== undefined) {
    if (noneMatch !== "*" || match !== undefined || version !== undefined)
      throw new BerthError("invalid_request", 'If-None-Match can be "*" here, and without a version.');
    return { absent: true };
  }
  if (match === undefined) return version === undefined ? undefined : { version };
  const given = tag.exec(match)?.[1];
  if (given === undefined || (version !== undefined && version !== given))
    throw new BerthError("invalid_request", "If-Match has to be the ETag with which the file was read.");
  return { version: given };
}

/** Whether the client has this version already. */
export function hasVersion(headers: IncomingHttpHeaders, version: string): boolean {
  const given = headers["if-none-match"];
  return (given ?? "").split(",").some((each) => tag.exec(each.trim())?.[1] === version);
}

/** The part that `Range` asks for. Several, and what makes no sense, count as the whole, as HTTP has it. */
export function rangeOf(header: string | undefined): ByteRange | undefined {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? "");
  if (!match) return undefined;
  const [, first = "", last = ""] = match;
  if (first === "") return last === "" ? undefined : { last: Number(last) };
  if (last === "") return { from: Number(first) };
  return Number(last) < Number(first) ? undefined : { from: Number(first), to: Number(last) + 1 };
}
