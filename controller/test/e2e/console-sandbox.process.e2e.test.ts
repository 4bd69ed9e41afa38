import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { getSandbox, listSnapshots, type Sandbox } from "@berth/protocol";
import { type BrowserDriver, type BrowserPage, eventually, launchBrowser } from "@berth/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Berth, startBerth } from "./berth.ts";

const password = "correct horse battery staple";

/** What a person does to one sandbox by the console: snapshots, copies, other settings. */
describe("the console on one sandbox", () => {
  let berth: Berth;
  let browser: BrowserDriver;
  let page: BrowserPage;
  let sandbox: Sandbox;

  beforeAll(async () => {
    berth = await startBerth();
    sandbox = await berth.readySandbox({ name: "web" });
    browser = await launchBrowser({ baseUrl: berth.url });
    page = await browser.open("/sandboxes/web/snapshots");
    page.page.setDefaultTimeout(20_000);
    await page.page.getByLabel("Password").fill(password);
    await page.page.getByRole("button", { name: "Sign in" }).click();
  });
  afterAll(async () => {
    await browser?.dispose();
    await berth?.dispose();
  });

  const now = (id: string) => berth.client.call(getSandbox, { params: { id } });
  const notesOf = async (of: Sandbox) => join(await berth.rootOf(of), "workspace/notes.txt");

  it("takes a snapshot, and goes back to it once that was confirmed", async () => {
    const { page: tab } = page;
    await writeFile(await notesOf(sandbox), "before");
    await tab.getByText("No snapshots yet.").waitFor();
    await tab.getByRole("button", { name: "Take snapshot" }).click();
    await tab.getByLabel("Name").fill("kept");
    await tab.getByLabel("Description").fill("all is well");
    await tab.keyboard.press("Enter");
    const row = tab.locator("[data-snapshot=kept]");
    await row.getByText("all is well").waitFor();
    await row.getByText("while it ran").waitFor();

    await writeFile(await notesOf(sandbox), "after");
    await row.getByRole("button", { name: "Go back…" }).click();
    await tab.keyboard.press("Escape");
    expect(await readFile(await notesOf(sandbox), "utf8"), "nothing was confirmed").toBe("after");
    await row.getByRole("button", { name: "Go back…" }).click();
    await tab.getByText("Lost is what came after it").waitFor();
    await tab.getByRole("button", { name: "Go back to kept" }).click();
    await tab.getByRole("heading", { name: "Rolling back web" }).waitFor();
    await tab.getByRole("heading", { name: "Rolling back web" }).waitFor({ state: "detached" });
    expect(await readFile(await notesOf(sandbox), "utf8")).toBe("before");
    expect((await now(sandbox.id)).state).toBe("ready");
  });

  it("refuses a name that is taken before anything is begun", async () => {
    const { page: tab } = page;
    await tab.getByRole("button", { name: "Take snapshot" }).click();
    await tab.getByLabel("Name").fill("kept");
    await tab.getByText("There is a snapshot of this name.").waitFor();
    await tab.keyboard.press("Enter");
    await tab.keyboard.press("Escape");
    const { items } = await berth.client.call(listSnapshots, { params: { id: "web" } });
    expect(items.map(({ name }) => name)).toEqual(["kept"]);
  });

  it("changes its cores and when it sleeps, and its name, under which it goes on", async () => {
    const { page: tab } = page;
    await tab.getByRole("link", { name: "Settings" }).click();
    await tab.getByLabel("Cores").fill("3");
    await tab.getByLabel("Sleeps when unused").selectOption("own");
    await tab.getByLabel("Minutes").fill("45");
    await tab.getByRole("button", { name: "Save changes" }).click();
    await tab.getByText("Saved.", { exact: true }).waitFor();
    expect(await now("web")).toMatchObject({ cores: 3, sleepAfterMinutes: 45, drift: [], operationId: null });
    await tab.getByLabel("Disk, GiB").fill("1");
    await tab.getByRole("button", { name: "Save changes" }).click();
    expect(await tab.locator("input:invalid").count(), "a disk does not shrink").toBe(1);
    await tab.getByRole("button", { name: "Discard" }).click();
    await tab.getByLabel("Name").fill("site");
    await tab.keyboard.press("Enter");
    await tab.waitForURL("**/sandboxes/site/settings");
    await tab.getByRole("heading", { name: "site" }).waitFor();
    expect(await now("site")).toMatchObject({ id: sandbox.id, cores: 3, diskGiB: sandbox.diskGiB });
  });

  it("makes a copy from a snapshot, and goes to it", async () => {
    const { page: tab } = page;
    await writeFile(await notesOf(sandbox), "of now");
    await tab.getByRole("link", { name: "Snapshots" }).click();
    await tab.getByRole("button", { name: "More for kept" }).click();
    await tab.keyboard.press("Enter");
    await tab.getByRole("button", { name: "Fork to site-copy" }).click();
    await tab.waitForURL("**/sandboxes/site-copy");
    const ready = await eventually(
      async () => {
        const copy = await now("site-copy");
        return copy.state === "ready" && copy.operationId === null ? copy : undefined;
      },
      { timeoutMs: 30_000, what: "the copy" },
    );
    expect(ready.forkedFrom).toBe(sandbox.id);
    expect(await readFile(await notesOf(ready), "utf8")).toBe("before");
    expect(await readFile(await notesOf(sandbox), "utf8")).toBe("of now");
  });

  it("deletes a snapshot, and has had no error of its own", async () => {
    const { page: tab } = page;
    await tab.goto("/sandboxes/site/snapshots");
    await tab.getByRole("button", { name: "More for kept" }).click();
    await tab.getByRole("menuitem", { name: "Delete…" }).click();
    await tab.getByRole("button", { name: "Delete it" }).click();
    await tab.getByText("No snapshots yet.").waitFor();
    expect(page.errors.filter((error) => !/Failed to load resource|unsafe-eval|WebSocket/.test(error))).toEqual([]);
  });
});
