/**
 * A path relative to the folder that is synced, as the bytes that the file system has: each character is one byte
 * (latin1). Linux knows no encoding of names, so that text would lose some.
 */
export type RawPath = string;

/** The bytes of a path. */
export function bytesOf(path: RawPath): Buffer {
  return Buffer.from(path, "latin1");
}

/** A path from its bytes. */
export function rawPath(bytes: Uint8Array): RawPath {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}

/** A path that somebody has given as text. */
export function rawPathOfText(text: string): RawPath {
  return Buffer.from(text, "utf8").toString("latin1");
}

/** A path as people read it; bytes that are no UTF-8 become replacement characters, and `exact` is false. */
export function textOf(path: RawPath): { text: string; exact: boolean } {
  const bytes = bytesOf(path);
  const text = bytes.toString("utf8");
  return { text, exact: Buffer.from(text, "utf8").equals(bytes) };
}

/** Whether a path stays below the folder that it is relative to, and names something in it. */
export function isInside(path: RawPath): boolean {
  if (path === "" || path.includes("\0")) return false;
  return path.split("/").every((name) => name !== "" && name !== "." && name !== "..");
}

/** The absolute path for one call: mostly text, of which the file system takes the same bytes, and which is made faster. */
export function quicklyBelow(root: string, path: RawPath): Buffer | string {
  for (let at = 0; at < path.length; at += 1) if (path.charCodeAt(at) > 127) return below(root, path);
  return path === "" ? root : `${root}/${path}`;
}

/** The absolute path, as the file system takes it. */
export function below(root: string, path: RawPath): Buffer {
  return path === "" ? Buffer.from(root) : Buffer.concat([Buffer.from(`${root}/`), bytesOf(path)]);
}

/** The folder that a path is in; empty for the topmost one. */
export function parentOf(path: RawPath): RawPath {
  const slash = path.lastIndexOf("/");
  return slash === -1 ? "" : path.slice(0, slash);
}
