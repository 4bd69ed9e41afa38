/** A file or folder of a workspace, as routes name it: by its path, or where that is not UTF-8 by its bytes. */
export interface WorkspacePlace {
  /** From the workspace on; empty: the workspace itself. */
  readonly path: string;
  /** The base64url of the path's bytes, where `path` cannot say them. */
  readonly pathBytes?: string | undefined;
}

/** The workspace itself. */
export const workspaceRoot: WorkspacePlace = { path: "" };

/** What a place is known by: no two places have the same. */
export function keyOf({ path, pathBytes }: WorkspacePlace): string {
  // No path begins with a slash.
  return pathBytes === undefined ? path : `/${pathBytes}`;
}

/** The place as a route takes it, by exactly one of its names. */
export function addressOf({ path, pathBytes }: WorkspacePlace): { path: string } | { pathBytes: string } {
  return pathBytes === undefined ? { path } : { pathBytes };
}

/** The last part of the path. */
export function nameOf({ path }: WorkspacePlace): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** The folder that a place lies in; of the workspace itself, the workspace. */
export function folderOf({ path, pathBytes }: WorkspacePlace): WorkspacePlace {
  if (pathBytes === undefined) return { path: path.slice(0, Math.max(0, path.lastIndexOf("/"))) };
  const bytes = bytesOf(pathBytes);
  return placeOfBytes(bytes.subarray(0, Math.max(0, bytes.lastIndexOf(slash))));
}

/** Something in a folder, by its name. */
export function placeIn(folder: WorkspacePlace, name: string): WorkspacePlace {
  const path = folder.path === "" ? name : `${folder.path}/${name}`;
  if (folder.pathBytes === undefined) return { path };
  const within = new TextEncoder().encode(`/${name}`);
  return { path, pathBytes: base64urlOf(new Uint8Array([...bytesOf(folder.pathBytes), ...within])) };
}

/** The folders on the way to a place, from the workspace on, without the place. */
export function foldersTo(place: WorkspacePlace): readonly WorkspacePlace[] {
  if (place.path === "") return [];
  const folder = folderOf(place);
  return [...foldersTo(folder), folder];
}

/** Whether a place is the folder or lies in it, at any depth. */
export function isWithin(place: WorkspacePlace, folder: WorkspacePlace): boolean {
  const key = keyOf(folder);
  return keyOf(place) === key || foldersTo(place).some((each) => keyOf(each) === key);
}

/** The place that an address names by the base64url of its bytes. */
export function placeOfAddress(address: { path: string; pathBytes?: string }): WorkspacePlace {
  return address.pathBytes === undefined ? { path: address.path } : placeOfBytes(bytesOf(address.pathBytes));
}

const slash = "/".charCodeAt(0);

function placeOfBytes(bytes: Uint8Array): WorkspacePlace {
  const path = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
  return isUtf8(bytes) ? { path } : { path, pathBytes: base64urlOf(bytes) };
}

function isUtf8(bytes: Uint8Array): boolean {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}

function bytesOf(base64url: string): Uint8Array {
  const letters = atob(base64url.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(letters, (letter) => letter.charCodeAt(0));
}

function base64urlOf(bytes: Uint8Array): string {
  const letters = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  return btoa(letters).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
