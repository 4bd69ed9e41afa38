import { realpath } from "node:fs/promises";
import { isAbsolute, normalize, sep } from "node:path";
import { BerthError } from "@berth/protocol";

/** A git remote that may be used. `url` is what git is given, and has no credential. */
export type Remote =
  | { readonly kind: "https"; readonly url: string /** `https://host[:port]`. */; readonly origin: string }
  | { readonly kind: "ssh"; readonly url: string }
  | { readonly kind: "file" /** An absolute path on this machine. */; readonly url: string };

const hostPattern = /^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])$/;
const userPattern = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$/;

/**
 * Reads what somebody calls a remote. Only what is known to be plain passes: no other transport (git runs programs for
 * `ext::…`), nothing that git or ssh could take for an option, no credential. Throws `invalid_request`.
 */
export function readRemote(text: string): Remote {
  if (/\p{C}|\s/u.test(text) || text.startsWith("-")) throw refused("it has characters that no address has");
  if (text.startsWith("/")) return readPath(text);
  if (/^file:\/\//i.test(text)) return readFileUrl(text);
  if (/^[A-Za-z][A-Za-z0-9+.-]*:\/\//.test(text)) return readUrl(text);
  return readScpLike(text);
}

function readPath(path: string): Remote {
  const plain = normalize(path).replace(/\/+$/, "");
  if (!isAbsolute(plain) || plain === "") throw refused("it is no path of a folder");
  return { kind: "file", url: plain };
}

function readFileUrl(text: string): Remote {
  const url = parse(text);
  if (url.host !== "" || url.search !== "" || url.hash !== "") throw refused("a file URL has a path and nothing else");
  return readPath(decoded(url.pathname));
}

function readUrl(text: string): Remote {
  const url = parse(text);
  if (url.search !== "" || url.hash !== "") throw refused("it has a query or a fragment");
  if (url.password !== "") throw withCredential();
  if (!hostPattern.test(url.hostname)) throw refused("its host is no host's name");
  if (url.pathname.length < 2 || decoded(url.pathname).startsWith("/-")) throw refused("it names no repository");
  if (url.protocol === "https:") {
    if (url.username !== "") throw withCredential();
    return { kind: "https", url: url.href, origin: url.origin };
  }
  if (url.protocol !== "ssh:") throw refused(`${url.protocol}// is not supported`);
  if (url.username !== "" && !userPattern.test(decoded(url.username))) throw refused("its user is no user's name");
  return { kind: "ssh", url: url.href };
}

/** `user@host:path`, git's own short form of SSH. */
function readScpLike(text: string): Remote {
  const match = /^([^@:/]+)@([^@:/]+):(?!:)([^:]+)$/.exec(text);
  const [user = "", host = "", path = ""] = match?.slice(1) ?? [];
  if (!userPattern.test(user) || !hostPattern.test(host) || /^[-~]/.test(path)) {
    throw refused("it is neither https://…, ssh://…, user@host:path nor the absolute path of a folder");
  }
  return { kind: "ssh", url: text };
}

function parse(text: string): URL {
  try {
    return new URL(text);
  } catch {
    throw refused("it is no URL");
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw refused("its percent-encoding is broken");
  }
}

/** Where repositories on this machine may be. */
export interface RepositoryRoots {
  /** Below these folders. */
  readonly roots: readonly string[];
  /** Never in here, nor around it: Berth's own keys and mirrors are in it. */
  readonly dataDir: string;
}

/**
 * The real path of a repository on this machine. Throws `forbidden` when it is not below one of the folders that the
 * settings allow, as it is now, with all links followed.
 */
export async function allowedPath(path: string, { roots, dataDir }: RepositoryRoots): Promise<string> {
  const real = await realpath(path).catch(() => undefined);
  const ownRoot = await realpath(dataDir).catch(() => dataDir);
  const isOwn = real !== undefined && (isBelow(real, ownRoot) || isBelow(ownRoot, real));
  for (const root of roots) {
    const realRoot = await realpath(root).catch(() => undefined);
    if (real !== undefined && !isOwn && realRoot !== undefined && isBelow(real, realRoot)) return real;
  }
  // One answer for what is not there and for what may not be used: nobody is to learn what is on this machine.
  throw new BerthError("forbidden", `There is no folder ${path} that Berth may use.`, {
    hint: "Put the repository below one of the folders that BERTH_WORKSPACE_ROOTS names, or add its folder there.",
  });
}

function isBelow(path: string, root: string): boolean {
  return path === root || path.startsWith(root.endsWith(sep) ? root : root + sep);
}

function refused(reason: string): BerthError {
  return new BerthError("invalid_request", `The git remote cannot be used: ${reason}.`, { fields: { url: reason } });
}

function withCredential(): BerthError {
  return new BerthError("invalid_request", "The git remote's URL has a user or a password in it.", {
    hint: "Leave it out, and give the project a credential instead: it is kept on the controller's side.",
    fields: { url: "it has a user or a password in it" },
  });
}
