/** Splits a tag list as PVE writes it (`;`-joined; an emptied one reads back as a space). */
export function splitTags(text: string | undefined): string[] {
  return (text ?? "").split(/[;,\s]+/).filter((tag) => tag !== "");
}

/** Joins tags for a call. */
export function joinTags(tags: readonly string[]): string {
  return tags.join(";");
}
