import { keySchema, namedKeys } from "@berth/protocol";
import { Value } from "typebox/value";
import { describe, expect, it } from "vitest";
import { keyBytes } from "../src/pty-host/keys.ts";

describe("a key", () => {
  it.each([
    ["a", "a"],
    ["-", "-"],
    ["C-c", "\x03"],
    ["C-Space", "\0"],
    ["C-[", "\x1b"],
    ["C-?", "\x7f"],
    ["M-x", "\x1bx"],
    ["M-Enter", "\x1b\r"],
    ["S-Tab", "\x1b[Z"],
    ["C--", "-"],
    ["Enter", "\r"],
    ["BSpace", "\x7f"],
    ["Up", "\x1b[A"],
    ["C-S-Left", "\x1b[1;6D"],
    ["Delete", "\x1b[3~"],
    ["M-PageUp", "\x1b[5;3~"],
    ["F1", "\x1bOP"],
    ["F12", "\x1b[24~"],
  ])("%s sends %j", (key, bytes) => {
    expect(Value.Check(keySchema, key)).toBe(true);
    expect(keyBytes(key, false)).toBe(bytes);
  });

  it("has an arrow's other form where the program asked for it", () => {
    expect(keyBytes("Down", true)).toBe("\x1bOB");
    expect(keyBytes("C-Down", true)).toBe("\x1b[1;5B");
  });

  it("sends something, whichever has a name", () => {
    for (const name of namedKeys) expect(keyBytes(name, false)).not.toContain(name);
  });

  it.each(["", "Ente", "C-", "X-a", "é", "ab", "C-M-S-C-a", "Up\n"])("is not %j", (text) => {
    expect(Value.Check(keySchema, text)).toBe(false);
  });
});
