import { BerthError } from "@berth/protocol";

interface PageQuery {
  limit?: number;
  cursor?: string;
}

const defaultLimit = 50;

/** How many things a page of this query has. */
export function pageLimit(query: PageQuery): number {
  return query.limit ?? defaultLimit;
}

/** A page of a list that is in memory, in its order. The cursor is the key of the last thing on the page before. */
export function page<Row, Item>(
  rows: readonly Row[],
  query: PageQuery,
  key: (row: Row) => string,
  present: (row: Row) => Item,
): { items: Item[]; nextCursor: string | null } {
  const start = query.cursor === undefined ? 0 : rows.findIndex((row) => key(row) === query.cursor) + 1;
  if (query.cursor !== undefined && start === 0) {
    throw new BerthError("invalid_request", "The cursor is not one of this list's, or what it names is gone.", {
      hint: "Begin again without a cursor.",
    });
  }
  const shown = rows.slice(start, start + pageLimit(query));
  const last = shown.at(-1);
  const more = start + shown.length < rows.length;
  return { items: shown.map(present), nextCursor: more && last !== undefined ? key(last) : null };
}
