import type { RawPath } from "../raw-path.ts";

/** One piece of a pattern: a byte as it stands, or what stands for others. */
type Token = { readonly literal: string } | { readonly wild: string };

/**
 * The rules of rsync's that do what one line of a `.gitignore` does (gitignore(5)), in a folder of the tree; none for a
 * comment. Both stop at a folder that is left out. What differs is put into rules: git takes the last line that
 * matches, so lines have to be given in reverse; its patterns with a slash are anchored; `**` may stand for no folder.
 */
export function rsyncRules(line: string, folder: RawPath): string[] {
  const text = withoutTrailingSpaces(line);
  if (text === "" || text.startsWith("#")) return [];
  const negated = text.startsWith("!");
  let pattern = negated ? text.slice(1) : text;
  const foldersOnly = pattern.endsWith("/");
  if (foldersOnly) pattern = pattern.slice(0, -1);
  if (pattern === "") return [];
  const anchored = pattern.includes("/");
  if (pattern.startsWith("/")) pattern = pattern.slice(1);
  // A name alone is compared with names alone, which takes rsync far less than any path with a wildcard in it.
  const isName = !anchored && folder === "";
  const base = isName ? [] : [...literals(folder === "" ? "/" : `/${folder}/`)];
  const bodies = anchored ? expansions(pattern.split("/")) : isName ? [[pattern]] : [[pattern], ["**", pattern]];
  const sign = negated ? "+ " : "- ";
  return bodies.map((names) => {
    const tokens = [...base];
    for (const [place, name] of names.entries()) {
      if (place > 0) tokens.push({ literal: "/" });
      tokens.push(...(name === "**" ? [{ wild: "**" }] : tokensOf(name)));
    }
    return `${sign}${written(tokens)}${foldersOnly ? "/" : ""}`;
  });
}

/** The rule of rsync's that leaves out one path and nothing else. */
export function exactRule(path: RawPath): string {
  return `- ${written(literals(`/${path}`))}`;
}

/** With and without each `**` that stands between slashes; the one at the end stands for something. */
function expansions(names: readonly string[]): string[][] {
  const [first, ...rest] = names;
  if (first === undefined) return [[]];
  const tails = rest.length === 0 ? [[]] : expansions(rest);
  if (first !== "**" || rest.length === 0) return tails.map((tail) => [first, ...tail]);
  return [...tails, ...tails.map((tail) => ["**", ...tail])];
}

function tokensOf(name: string): Token[] {
  const tokens: Token[] = [];
  for (let at = 0; at < name.length; at += 1) {
    const letter = name[at] ?? "";
    if (letter === "\\" && at + 1 < name.length) {
      at += 1;
      tokens.push({ literal: name[at] ?? "" });
    } else if (letter === "*") {
      // Several are as one unless they are all that is between two slashes.
      while (name[at + 1] === "*") at += 1;
      tokens.push({ wild: "*" });
    } else if (letter === "?") tokens.push({ wild: "?" });
    else if (letter === "[") {
      const set = /^\[[!^]?\]?(?:\[:[a-z]+:\]|\\.|[^\]\\])*\]/s.exec(name.slice(at))?.[0];
      tokens.push(set === undefined ? { literal: "[" } : { wild: set });
      at += (set?.length ?? 1) - 1;
    } else tokens.push({ literal: letter });
  }
  return tokens;
}

function literals(text: string): Token[] {
  return [...text].map((literal) => ({ literal }));
}

/** rsync takes a backslash for an escape only in a pattern that has a wildcard, or the sign of one, anywhere. */
function written(tokens: readonly Token[]): string {
  const special = /[*?[]/;
  const escapes = tokens.some((token) => "wild" in token || special.test(token.literal));
  return tokens
    .map((token) => {
      if ("wild" in token) return token.wild;
      return escapes && /[*?[\\]/.test(token.literal) ? `\\${token.literal}` : token.literal;
    })
    .join("");
}

function withoutTrailingSpaces(line: string): string {
  let end = line.length;
  while (end > 0 && line[end - 1] === " " && line[end - 2] !== "\\") end -= 1;
  return line.slice(0, end);
}
