import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { quotedPath } from "../src/terminals/quoted-path.ts";

const odd = [
  "/workspace/.berth/dropped/shot-1.png",
  "/w/a b  c.png",
  '/w/it\'s "quoted" \\ and `run` $(x) $HOME.png',
  "/w/*?[a]{b,c}~!#&;|<>()^=.png",
  "/w/naïve 日本語 👩‍💻\u00a0.png",
];

describe("a quoted path", () => {
  it("is as it is where nothing needs quoting, and has a backslash before what does", () => {
    expect(quotedPath("/workspace/.berth/dropped/shot-1.png")).toBe("/workspace/.berth/dropped/shot-1.png");
    expect(quotedPath("/w/a b's.png")).toBe("/w/a\\ b\\'s.png");
  });

  it.each(odd)("is one word again for a shell: %j", (path) => {
    for (const shell of ["bash", "sh"]) {
      expect(execFileSync(shell, ["-c", `printf '%s|' ${quotedPath(path)} end`], { encoding: "utf8" })).toBe(
        `${path}|end|`,
      );
    }
  });
});
