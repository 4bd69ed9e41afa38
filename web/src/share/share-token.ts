import { sharePagePath } from "@berth/protocol";

/**
 * The token of a share's link, `/share#<token>`; undefined: the page is another. It stays in the address bar, so that
 * the page can be loaded again: unlike a set-up link's it is good until the share ends.
 */
export function shareTokenOf({ pathname, hash }: Pick<Location, "pathname" | "hash">): string | undefined {
  return pathname === sharePagePath || pathname === `${sharePagePath}/` ? hash.slice(1) : undefined;
}
