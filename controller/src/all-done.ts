/** Waits for all, also when one fails: what the others have begun must be known before it is taken down. */
export async function allDone<T extends readonly unknown[]>(parts: { [K in keyof T]: Promise<T[K]> }): Promise<T> {
  await Promise.allSettled(parts);
  return Promise.all(parts) as unknown as Promise<T>;
}
