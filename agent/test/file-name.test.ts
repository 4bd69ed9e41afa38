import { describe, expect, it } from "vitest";
import { numberedFileName, safeFileName } from "../src/agent/files/file-name.ts";

describe("the name of a dropped file", () => {
  it.each([
    ["Screenshot 2026-11-21 (1).png", "Screenshot 2026-11-21 (1).png"],
    ["naïve 日本語 👩‍💻.png", "naïve 日本語 👩‍💻.png"],
    ["it's $HOME; `x`.txt", "it's $HOME; `x`.txt"],
  ])("keeps what is harmless: %j", (asked, name) => {
    expect(safeFileName(asked)).toBe(name);
  });

  it.each([
    ["../../etc/passwd", "passwd"],
    ["..\\..\\boot.ini", "boot.ini"],
    ["/etc/", "file"],
    ["..", "file"],
    ["", "file"],
    ["   ", "file"],
    [".bashrc", "bashrc"],
    ["--version", "version"],
    ["-.- x.txt", "x.txt"],
    ["a\x1b[31m\x00\r\nb\x9b.txt", "a[31mb.txt"],
    ["line\u2028break\u2029.txt", "linebreak.txt"],
    ["gnp\u202Etxt.exe", "gnptxt.exe"],
    ["lone\ud800.txt", "lone\ufffd.txt"],
    ["e\u0301.txt", "\u00e9.txt"],
    ["end. ", "end."],
  ])("takes out what is not: %j", (asked, name) => {
    expect(safeFileName(asked)).toBe(name);
  });

  it("has at most 255 bytes, whole letters, and its extension", () => {
    const long = safeFileName(`${"日".repeat(200)}.png`);
    expect(long).toBe(`${"日".repeat(83)}.png`);
    expect(Buffer.byteLength(safeFileName("👩".repeat(300)))).toBe(252);
    expect(Buffer.byteLength(safeFileName(`x.${"e".repeat(300)}`))).toBe(255);
  });

  it("takes a number before its extension, and stays within its bytes", () => {
    expect(numberedFileName("shot.png", 2)).toBe("shot-2.png");
    expect(numberedFileName("Makefile", 3)).toBe("Makefile-3");
    expect(numberedFileName("Mr. Smith", 2)).toBe("Mr. Smith-2");
    const long = `${"a".repeat(251)}.png`;
    expect(numberedFileName(long, 10_000)).toBe(`${"a".repeat(245)}-10000.png`);
  });
});
