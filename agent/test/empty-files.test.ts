import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { withoutEmptyFiles } from "../src/agent/git/empty-files.ts";

async function filtered(text: string, cuts: readonly number[]): Promise<string> {
  async function* chunks(): AsyncGenerator<Buffer> {
    let start = 0;
    for (const cut of [...cuts.map((at) => at % (text.length + 1)).sort((a, b) => a - b), text.length]) {
      yield Buffer.from(text.slice(start, cut));
      start = cut;
    }
  }
  const parts: Buffer[] = [];
  for await (const part of withoutEmptyFiles(chunks())) parts.push(part);
  return Buffer.concat(parts).toString();
}

describe("a patch without the files that have only a name in it", () => {
  it("is the same for the others, wherever it is cut into chunks", async () => {
    const file = fc.oneof(
      fc.constant({ text: "diff --git a/x b/x\n", empty: true }),
      fc
        .array(fc.constantFrom("+diff --git a/x b/x", " ", "-", "@@ -1 +1 @@", "index 1..2"), {
          minLength: 1,
          maxLength: 3,
        })
        .map((lines) => ({ text: `diff --git a/y b/y\n${lines.join("\n")}\n`, empty: false })),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(file, { maxLength: 6 }),
        fc.array(fc.nat(500), { maxLength: 12 }),
        async (files, cuts) => {
          const whole = files.map(({ text }) => text).join("");
          const wanted = files.map(({ text, empty }) => (empty ? "" : text)).join("");
          expect(await filtered(whole, cuts)).toBe(wanted);
        },
      ),
    );
  });

  it("holds back no long line", async () => {
    const line = `+${"x".repeat(200_000)}diff --git a/x b/x`;
    const patch = `diff --git a/y b/y\n${line}\ndiff --git a/z b/z\n`;
    expect(await filtered(patch, [50, 70_000, 150_000])).toBe(`diff --git a/y b/y\n${line}\n`);
  });
});
