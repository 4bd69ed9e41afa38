/** One page of a list. */
interface Page<T> {
  readonly items: T[];
  readonly nextCursor: string | null;
}

/** Pages of a list that are read at most: 200 items each. */
const maxPages = 50;

/** All items of a list, page by page. */
export async function everyPage<T>(
  read: (query: { limit: number; cursor?: string }) => Promise<Page<T>>,
): Promise<T[]> {
  const items: T[] = [];
  let cursor: string | null = null;
  for (let count = 0; count < maxPages; count += 1) {
    const page: Page<T> = await read(cursor === null ? { limit: 200 } : { limit: 200, cursor });
    items.push(...page.items);
    cursor = page.nextCursor;
    if (cursor === null) break;
  }
  return items;
}
