import { describe, expect, it } from "vitest";
import { typedText } from "../src/pty-host/paste.ts";

const typed = (text: string, how: { paste?: boolean }, bracketed: boolean) =>
  typedText({ text, ...how }, bracketed).toString();

describe("typed text", () => {
  it("is as it is where it is one line", () => {
    expect(typed("ls -l", {}, true)).toBe("ls -l");
  });

  it("is one paste where it has several lines and the program understands pastes", () => {
    expect(typed("a\r\nb", {}, true)).toBe("\x1b[200~a\rb\x1b[201~");
    expect(typed("a\nb", {}, false)).toBe("a\rb");
  });

  it("is a paste where that is asked for, and cannot end it by itself", () => {
    expect(typed("/a\\ b ", { paste: true }, true)).toBe("\x1b[200~/a\\ b \x1b[201~");
    expect(typed("x\x1b[201~y", { paste: true }, true)).toBe("\x1b[200~xy\x1b[201~");
    expect(typed("/a ", { paste: true }, false)).toBe("/a ");
  });
});
