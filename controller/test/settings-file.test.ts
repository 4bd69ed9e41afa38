import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryDirectory } from "@berth/testkit";
import { expect, test } from "vitest";
import { readConfigFile } from "../src/settings/environment.ts";

test("a file of settings may have quotes and comments", async () => {
  const folder = await temporaryDirectory();
  try {
    const path = join(folder.path, "berth.env");
    writeFileSync(path, '# the console\nBERTH_PORT=7500\nBERTH_ADMIN_PASSWORD="with # and = in it"\n');
    expect(readConfigFile(path)).toEqual({ BERTH_PORT: "7500", BERTH_ADMIN_PASSWORD: "with # and = in it" });
  } finally {
    await folder.dispose();
  }
});

test("a file that is not there is named", () => {
  expect(() => readConfigFile("/nowhere/berth.env")).toThrow(
    "BERTH_CONFIG names /nowhere/berth.env, which cannot be read (ENOENT)",
  );
});
