/** `T` with its optional members no longer taking an explicit undefined. */
type Defined<T> = { [K in keyof T]: Exclude<T[K], undefined> };

/** A copy without the members that are undefined; proxmox-api's types do not take those. */
export function defined<T extends object>(members: T): Partial<Defined<T>> {
  const kept: Partial<Defined<T>> = {};
  for (const key in members) {
    const value = members[key];
    if (value !== undefined) kept[key] = value as Defined<T>[typeof key];
  }
  return kept;
}
