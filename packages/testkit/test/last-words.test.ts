import { expect, test } from "vitest";
import { lastWords, remember } from "../src/process/last-words.ts";

const speaker = (title: string, more: { running?: boolean; stdout?: string; stderr?: string } = {}) => ({
  title,
  running: false,
  stdout: "",
  stderr: "",
  logFiles: ["/nowhere/at/all.log"],
  ...more,
});

test("the last lines of what was written are told, of the dead too, and nothing of those who were silent", () => {
  remember(speaker("one", { stdout: "first\nsecond\nthird\n", stderr: "oh no\n" }));
  remember(speaker("two", { running: true, stdout: "fourth\n" }));
  remember(speaker("three"));
  expect(lastWords(2)).toBe(
    "--- one, which has ended: stdout\nsecond\nthird\n--- one: stderr\noh no\n--- two, which runs: stdout\nfourth\n",
  );
});

test("of many, those who ended are forgotten before those who run", () => {
  remember(speaker("lasting", { running: true, stdout: "here\n" }));
  for (let count = 0; count < 50; count += 1) remember(speaker(`brief ${count}`, { stdout: "gone\n" }));
  const told = lastWords(1);
  expect(told).toContain("lasting, which runs");
  expect(told).toContain("brief 49");
  expect(told).not.toContain("brief 0,");
});
