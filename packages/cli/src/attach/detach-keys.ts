import { wrongUsage } from "../failure.ts";

/** Ctrl-], then d: telnet's escape, which shells, editors and Claude leave free. */
export const defaultDetachKeys = "C-] d";

/** What terminals may send for one key: the byte, or what kitty's and xterm's extended encodings make of it. */
interface Key {
  readonly byte: string;
  readonly extended: RegExp;
}

/** Reads keys as tmux writes them, `C-] d`, or as Docker does, `ctrl-p,ctrl-q`; `none` is no key. */
export function parseDetachKeys(text: string): readonly Key[] {
  if (text === "none") return [];
  const names = text.split(/[\s,]+/).filter((name) => name !== "");
  if (names.length === 0 || names.length > 4) throw invalid(text);
  return names.map((name) => {
    const [, control, character] = /^(C-|\^|ctrl-)?([!-~])$/i.exec(name) ?? [];
    if (character === undefined) throw invalid(text);
    if (control === undefined) return { byte: character, extended: extended(character.charCodeAt(0), "1") };
    if (!/[@-_a-z]/.test(character)) throw invalid(text);
    const code = character.toUpperCase().charCodeAt(0) & 0x1f;
    return { byte: String.fromCharCode(code), extended: extended(character.toLowerCase().charCodeAt(0), "5") };
  });
}

function extended(code: number, modifiers: string): RegExp {
  const optional = modifiers === "1" ? "(?:;1(?::[12])?)?" : `;${modifiers}(?::[12])?`;
  return new RegExp(`^\\x1b\\[(?:${code}${optional}u|27;${modifiers};${code}~)$`);
}

function invalid(text: string) {
  return wrongUsage(`"${text}" is not a sequence of keys.`, 'Keys look like "C-] d", "C-p C-q", or none.');
}

/** Keys and sequences that a terminal sends, as far as they can be told apart. Characters are bytes. */
const tokens =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are control sequences
  /\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)|\x1bO[\s\S]|[\s\S]/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are control sequences
const release = /^\x1b\[[\d;:]*:3[u~A-Z]$/;

export interface Typed {
  /** For the program: what was typed, in order, one key or sequence each. Characters are bytes. */
  readonly tokens: readonly string[];
  readonly detach: boolean;
}

/** Looks for the detach keys in what is typed; the first of them twice is that key itself, once. */
export class DetachKeys {
  readonly #keys: readonly Key[];
  #held: string[] = [];
  #matched = 0;

  constructor(keys: readonly Key[]) {
    this.#keys = keys;
  }

  take(chunk: Buffer): Typed {
    const through: string[] = [];
    for (const [token] of chunk.toString("latin1").matchAll(tokens)) {
      if (this.#matched > 0 && release.test(token)) this.#held.push(token);
      else if (this.#is(this.#matched, token)) {
        this.#held.push(token);
        this.#matched += 1;
        if (this.#matched === this.#keys.length) return { tokens: through, detach: true };
      } else if (this.#matched === 1 && this.#is(0, token)) through.push(...this.#release().slice(0, 1));
      else through.push(...this.#release(), token);
    }
    return { tokens: through, detach: false };
  }

  #is(index: number, token: string): boolean {
    const key = this.#keys[index];
    return key !== undefined && (token === key.byte || key.extended.test(token));
  }

  #release(): string[] {
    const held = this.#held;
    this.#held = [];
    this.#matched = 0;
    return held;
  }
}
