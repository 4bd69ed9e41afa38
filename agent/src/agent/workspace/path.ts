import { CallFailure, workspaceLimits } from "@berth/protocol/link";

const slash = 0x2f;

/**
 * The names that a path's bytes lead by, from the workspace on; none for the workspace itself. Throws `CallFailure`
 * `invalid_request` for whatever is no plain relative path: with empty names, `.`, `..`, a NUL, or too long.
 */
export function namesOf(path: Buffer): Buffer[] {
  if (path.length === 0) return [];
  if (path.length > workspaceLimits.pathBytes) throw new CallFailure("invalid_request", "the path is too long");
  if (path.includes(0)) throw new CallFailure("invalid_request", "the path has a NUL");
  const names: Buffer[] = [];
  for (let start = 0; start <= path.length; ) {
    const found = path.indexOf(slash, start);
    const end = found === -1 ? path.length : found;
    names.push(checkedName(path.subarray(start, end)));
    start = end + 1;
  }
  return names;
}

/** The names of a path as it comes over the link. */
export function namesOfLinkPath(path: string): Buffer[] {
  return namesOf(Buffer.from(path, "base64url"));
}

/** A path of names, as bytes. */
export function pathOf(names: readonly Buffer[]): Buffer {
  return Buffer.concat(names.flatMap((name, index) => (index === 0 ? [name] : [Buffer.of(slash), name])));
}

function checkedName(name: Buffer): Buffer {
  const isDots = name.equals(Buffer.from(".")) || name.equals(Buffer.from(".."));
  if (name.length === 0 || isDots) throw new CallFailure("invalid_request", "the path has an empty name, or . or ..");
  if (name.length > workspaceLimits.nameBytes)
    throw new CallFailure("invalid_request", "a name in the path is too long");
  return name;
}
