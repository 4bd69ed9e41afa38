import Type, { type Static } from "typebox";

/** Keys with a name of their own, as tmux calls them; some have two. */
export const namedKeys = [
  "Enter",
  "Escape",
  "Tab",
  "BTab",
  "Space",
  "BSpace",
  "Up",
  "Down",
  "Left",
  "Right",
  "Home",
  "End",
  "PageUp",
  "PPage",
  "PageDown",
  "NPage",
  "Insert",
  "IC",
  "Delete",
  "DC",
  ...Array.from({ length: 12 }, (_, index) => `F${index + 1}`),
] as const;

/**
 * A key: a named one or one printable ASCII character, behind `C-` (Ctrl), `M-` (Alt) and `S-` (Shift) in any order:
 * `C-c`, `Up`, `M-Enter`, `C-S-Left`.
 */
export const keySchema = Type.String({
  pattern: `^(?:[CMS]-){0,3}(?:[!-~]|${namedKeys.join("|")})$`,
  maxLength: 16,
});
export type Key = Static<typeof keySchema>;
