import { expect, it } from "vitest";
import { ScreenModel } from "../src/pty-host/screen-model.ts";

it("ends while output is parsed, and what was written is parsed to its end", async () => {
  const model = new ScreenModel(200, 24, 1000);
  const lines = Buffer.from(`${"x".repeat(199)}\r\n`.repeat(2_000));
  // Enough lines that those which are gone are left behind more than once.
  await model.write(lines.subarray(0, 50_000));
  const written = Array.from({ length: 30 }, () => model.write(lines));
  model.dispose();
  await Promise.all(written);
  expect(model.cols).toBe(200);
});
