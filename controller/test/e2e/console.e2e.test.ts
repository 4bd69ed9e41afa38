import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createSandbox, operationSchema, operationSteps } from "@berth/protocol";
import {
  type Berth,
  type BrowserDriver,
  type BrowserPage,
  eventually,
  launchBrowser,
  type MessagesStub,
  startMessagesStub,
} from "@berth/testkit";
import { Value } from "typebox/value";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startBerth } from "./berth.ts";

const password = "a password for the console";
/** The one variable of the stub's that is a setting; the rest is about silence on the network. */
const credential = ["ANTHROPIC_BASE_URL", "ANTHROPIC_AUTH_TOKEN"];

/** What a person does from the first minute on, in a real browser, with the real Claude CLI. */
describe("the console", () => {
  let berth: Berth;
  let stub: MessagesStub;
  let browser: BrowserDriver;
  let page: BrowserPage;
  let terminalId: string;
  let operationId: string;

  beforeAll(async () => {
    stub = await startMessagesStub();
    const env = Object.fromEntries(Object.entries(stub.environment).filter(([name]) => credential.includes(name)));
    berth = await startBerth({ withoutPassword: true, env });
    browser = await launchBrowser({ baseUrl: berth.url });
  });
  afterAll(async () => {
    await browser?.dispose();
    await berth?.dispose();
    await stub?.dispose();
  });

  /** What the page itself gets from the API, by its cookie. */
  const pageFetch = (path: string): Promise<unknown> =>
    page.page.evaluate(`fetch(${JSON.stringify(path)}).then((response) => response.json())`);

  /** The only terminal that is mounted on a page. */
  const terminalOn = (on: BrowserPage) =>
    eventually(
      async () => {
        const ids: unknown = await on.page.evaluate("window.__berth?.terminals() ?? []");
        return Array.isArray(ids) && typeof ids[0] === "string" ? ids[0] : undefined;
      },
      { timeoutMs: 20_000, what: "a terminal on the page" },
    );

  it("takes the admin's password by the one-time link, and shows an empty fleet", async () => {
    const line = await berth.process.waitForLine("#setup=");
    page = await browser.open(line.trim());
    expect(page.page.url(), "the token is out of the address bar").not.toContain("setup=");
    for (const field of await page.page.locator("input[type=password]").all()) await field.fill(password);
    await page.page.keyboard.press("Enter");
    await page.page
      .getByRole("button", { name: /new sandbox/i })
      .first()
      .waitFor();
    await page.screenshot("empty-fleet");
  });

  it("does not take the link a second time", async () => {
    const used = await browser.open((await berth.process.waitForLine("#setup=")).trim());
    const fields = await used.page.locator("input[type=password]").all();
    for (const field of fields) await field.fill("another password");
    if (fields.length > 1) await used.page.keyboard.press("Enter");
    await used.page
      .getByRole("button", { name: /sign in/i })
      .first()
      .waitFor();
    await used.page.context().close();
  });

  it("makes a sandbox step by step, and lands at Claude's prompt", async () => {
    await page.page
      .getByRole("button", { name: /new sandbox/i })
      .first()
      .click();
    await page.page.getByRole("textbox", { name: /name/i }).fill("by-hand");
    const created = page.page.waitForResponse((answer) => answer.request().method() === "POST");
    await page.page.keyboard.press("Enter");
    const response = await (await created).json();
    operationId = Value.Parse(createSandbox.result, response).operation.id;
    terminalId = await terminalOn(page);
    await page.waitForScreenText(terminalId, "❯", 30_000);
    await page.screenshot("claude-prompt");
    const operation = Value.Parse(operationSchema, await pageFetch(`/api/v1/operations/${operationId}`));
    expect(operation.steps.map(({ name, state }) => [name, state])).toEqual(
      operationSteps.create.map((name) => [name, name === "workspace" ? "skipped" : "succeeded"]),
    );
  });

  it("lets Claude answer a prompt that is typed, and change a file in the sandbox", async () => {
    await page.page.keyboard.type("say ahoy from the stub");
    await page.page.keyboard.press("Enter");
    await page.waitForScreenText(terminalId, /●\s+ahoy from the stub/, 30_000);
    await page.page.keyboard.type("write made-by-claude.txt by-claude-itself");
    await page.page.keyboard.press("Enter");
    const path = join(await berth.rootOf({ vmid: 151 }), "workspace", "made-by-claude.txt");
    await eventually(async () => (await readFile(path, "utf8")).includes("by-claude-itself"), {
      timeoutMs: 30_000,
      what: "the file that Claude writes",
    });
    await page.waitForScreenText(terminalId, "Done", 30_000);
  });

  it("shows the same screen after a reload, in a second tab, and after the controller was killed", async () => {
    await page.page.reload();
    expect(await terminalOn(page)).toBe(terminalId);
    await page.waitForScreenText(terminalId, "made-by-claude.txt", 20_000);
    const second = await browser.openBeside(page, page.page.url());
    expect(await terminalOn(second)).toBe(terminalId);
    await second.waitForScreenText(terminalId, "made-by-claude.txt", 20_000);
    await berth.crash();
    await berth.start();
    await page.page.bringToFront();
    await page.page.evaluate(`window.__berth.type(${JSON.stringify(terminalId)}, "say still here\\r")`);
    await page.waitForScreenText(terminalId, /●\s+still here/, 30_000);
    await second.waitForScreenText(terminalId, /●\s+still here/, 30_000);
    await second.page.close();
  });

  it("follows the size of the window", async () => {
    const size = () =>
      page.page.evaluate<{ cols: number; rows: number }>(`window.__berth.size(${JSON.stringify(terminalId)})`);
    const before = await size();
    await page.page.setViewportSize({ width: 900, height: 500 });
    await eventually(async () => (await size()).cols < before.cols && (await size()).rows < before.rows, {
      timeoutMs: 10_000,
    });
    await page.screenshot("smaller-window");
    await page.page.setViewportSize({ width: 390, height: 844 });
    await page.page.waitForTimeout(500);
    await page.screenshot("phone");
  });

  it("has no error of the page's own, whatever was cut", async () => {
    const unexpected = page.errors.filter(
      (error) => !/ERR_CONNECTION_REFUSED|Failed to load resource|WebSocket|EventSource|ERR_INCOMPLETE/.test(error),
    );
    expect(unexpected).toEqual([]);
  });
});
