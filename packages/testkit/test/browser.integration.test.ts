import { stat } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Scope } from "@berth/base";
import { afterEach, beforeEach, expect, test } from "vitest";
import { launchBrowser, temporaryDirectory } from "../src/index.ts";

let scope: Scope;
beforeEach(() => {
  scope = new Scope();
});
afterEach(() => scope.dispose());

const document = `<!doctype html><title>Console</title><script>
  window.__berth = { screenText: (id) => id === "trm_a" ? "$ ready" : undefined };
  document.cookie = "seen=1";
  console.error("something broke");
</script>`;

test("reads a terminal's screen by the console's hook, takes a screenshot and keeps the page's errors", async () => {
  const server = createServer((_, response) => response.setHeader("content-type", "text/html").end(document));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  scope.add(() => {
    server.closeAllConnections();
    server.close();
  });
  const results = await temporaryDirectory();
  scope.add(results.dispose);
  const browser = await launchBrowser({
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    screenshots: results.path,
  });
  scope.add(() => browser.dispose());
  const page = await browser.open("/");
  expect(await page.waitForScreenText("trm_a", "ready")).toBe("$ ready");
  expect(await page.screenText("trm_b")).toBeUndefined();
  expect((await stat(await page.screenshot("console"))).size).toBeGreaterThan(500);
  expect(page.errors).toContain("something broke");

  const beside = await browser.openBeside(page, "/");
  expect(await beside.page.context().cookies()).toHaveLength(1);
  const fresh = await browser.open();
  expect(await fresh.page.context().cookies()).toHaveLength(0);
});
