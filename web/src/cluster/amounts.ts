const gibibyte = 1024 ** 3;
const tebibyte = 1024 * gibibyte;

/** `3.2 of 16 GiB`, of bytes; without a whole: `3.2 GiB`. From a thousand GiB on in TiB. */
export function bytesOfText(used: number, total: number | null): string {
  const [unit, name] = (total ?? used) >= 1000 * gibibyte ? [tebibyte, "TiB"] : [gibibyte, "GiB"];
  const inUnit = (bytes: number) => String(Math.round((bytes / unit) * 10) / 10);
  return total === null ? `${inUnit(used)} ${name}` : `${inUnit(used)} of ${inUnit(total)} ${name}`;
}

/** `12 of 20`; without a limit: `12`. */
export function countText(used: number, limit: number | null): string {
  return limit === null ? String(used) : `${used} of ${limit}`;
}

/** `1 sandbox`, `3 sandboxes` */
export function sandboxesText(count: number): string {
  return count === 1 ? "1 sandbox" : `${count} sandboxes`;
}
