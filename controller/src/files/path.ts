import { BerthError } from "@berth/protocol";
import { workspaceLimits } from "@berth/protocol/link";

/** A path as a caller names it. */
export interface NamedPath {
  readonly path?: string;
  readonly pathBytes?: string;
}

/** A path as it is shown: its bytes only where they are not UTF-8. */
export interface ShownPath {
  path: string;
  pathBytes?: string;
}

const slash = 0x2f;

/** The bytes of a path that a caller names. Throws `invalid_request` for what is no plain path below the workspace. */
export function pathBytesOf({ path, pathBytes }: NamedPath, field = "path"): Buffer {
  if (path !== undefined && pathBytes !== undefined) throw bad(field, "is given twice, by letters and by bytes");
  if (path !== undefined && !path.isWellFormed()) throw bad(field, "is not valid Unicode");
  const bytes = pathBytes === undefined ? Buffer.from(path ?? "") : Buffer.from(pathBytes, "base64url");
  if (bytes.length === 0) return bytes;
  if (bytes.length > workspaceLimits.pathBytes) throw bad(field, `is longer than ${workspaceLimits.pathBytes} bytes`);
  if (bytes.includes(0)) throw bad(field, "has a NUL");
  if (bytes[0] === slash) throw bad(field, "is absolute; it begins in the workspace");
  for (const name of bytes.toString("latin1").split("/")) {
    if (name === "" || name === "." || name === "..") throw bad(field, 'has an empty name, "." or ".."');
    if (name.length > workspaceLimits.nameBytes) throw bad(field, "has a name that is too long");
  }
  return bytes;
}

/** The same, of a thing in the workspace: not the workspace itself. */
export function entryPathOf(named: NamedPath, field = "path"): Buffer {
  const bytes = pathBytesOf(named, field);
  if (bytes.length === 0) throw bad(field, "is required");
  return bytes;
}

/** A path as it goes over the link. */
export function linkPath(bytes: Buffer): string {
  return bytes.toString("base64url");
}

/** A path's bytes for people and programs. */
export function shownPath(bytes: Buffer): ShownPath {
  const { text, exact } = shownText(bytes);
  return exact ? { path: text } : { path: text, pathBytes: bytes.toString("base64url") };
}

/** Bytes as text, and whether the text says all of them. */
export function shownText(bytes: Buffer): { text: string; exact: boolean } {
  const text = bytes.toString();
  return { text, exact: Buffer.from(text).equals(bytes) };
}

/** The path of an entry in a folder. */
export function joined(folder: Buffer, name: Buffer): Buffer {
  return folder.length === 0 ? name : Buffer.concat([folder, Buffer.of(slash), name]);
}

function bad(field: string, what: string): BerthError {
  return new BerthError("invalid_request", `${field}: ${what}.`, { fields: { [field]: what } });
}
