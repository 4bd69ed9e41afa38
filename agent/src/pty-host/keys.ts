import type { Key } from "@berth/protocol";

const esc = "\x1b";
/** Keys that send the same with any modifier but Alt. */
const plain: Readonly<Record<string, string>> = {
  Enter: "\r",
  Escape: esc,
  Tab: "\t",
  BTab: `${esc}[Z`,
  Space: " ",
  BSpace: "\x7f",
};
/** The last letter of what arrows and their like send; modifiers stand before it. */
const lettered: Readonly<Record<string, string>> = { Up: "A", Down: "B", Right: "C", Left: "D", Home: "H", End: "F" };
const firstFunctionKeys: Readonly<Record<string, string>> = { F1: "P", F2: "Q", F3: "R", F4: "S" };
/** The number that keys send which end in a tilde. */
const numbered: Readonly<Record<string, number>> = {
  ...{ Insert: 2, IC: 2, Delete: 3, DC: 3, PageUp: 5, PPage: 5, PageDown: 6, NPage: 6 },
  ...{ F5: 15, F6: 17, F7: 18, F8: 19, F9: 20, F10: 21, F11: 23, F12: 24 },
};

/**
 * What xterm sends for a key. `applicationCursor`: the program has asked for the other form of arrows (DECCKM).
 * See XTerm Control Sequences, "PC-Style Function Keys".
 */
export function keyBytes(key: Key, applicationCursor: boolean): string {
  const { name, modifiers } = parse(key);
  // Each modifier is a bit, and none is written as 1.
  const code = 1 + (modifiers.has("S") ? 1 : 0) + (modifiers.has("M") ? 2 : 0) + (modifiers.has("C") ? 4 : 0);
  const letter = lettered[name] ?? firstFunctionKeys[name];
  if (letter !== undefined) {
    if (code > 1) return `${esc}[1;${code}${letter}`;
    return `${esc}${applicationCursor || name in firstFunctionKeys ? "O" : "["}${letter}`;
  }
  const number = numbered[name];
  if (number !== undefined) return `${esc}[${number}${code > 1 ? `;${code}` : ""}~`;
  return (modifiers.has("M") ? esc : "") + withoutAlt(name, modifiers);
}

function withoutAlt(name: string, modifiers: ReadonlySet<string>): string {
  if (name === "Tab" && modifiers.has("S")) return plain.BTab ?? "";
  if (modifiers.has("C") && (name === "Space" || name === "@")) return "\0";
  if (modifiers.has("C") && name === "?") return "\x7f";
  const known = plain[name];
  if (known !== undefined) return known;
  const upper = name.toUpperCase().charCodeAt(0);
  const hasControl = modifiers.has("C") && upper >= 0x40 && upper <= 0x5f;
  if (hasControl) return String.fromCharCode(upper - 0x40);
  return modifiers.has("S") ? name.toUpperCase() : name;
}

function parse(key: Key): { name: string; modifiers: ReadonlySet<string> } {
  const modifiers = new Set<string>();
  let name: string = key;
  while (name.length > 2 && name[1] === "-") {
    modifiers.add(name.charAt(0));
    name = name.slice(2);
  }
  return { name, modifiers };
}
