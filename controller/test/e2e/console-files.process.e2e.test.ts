import { execFileSync } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type BrowserDriver, type BrowserPage, eventually, launchBrowser } from "@berth/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Berth, startBerth } from "./berth.ts";

const password = "correct horse battery staple";

/** The console's view of a real workspace, with real agents and git. */
describe("the console on a workspace", () => {
  let berth: Berth;
  let browser: BrowserDriver;
  let page: BrowserPage;
  let workspace: string;
  const git = (...argv: string[]) => execFileSync("git", argv, { cwd: workspace }).toString();

  beforeAll(async () => {
    berth = await startBerth();
    const sandbox = await berth.readySandbox({ name: "work" });
    workspace = join(await berth.rootOf(sandbox), "workspace");
    await mkdir(join(workspace, "src"), { recursive: true });
    await writeFile(join(workspace, "README.md"), "# Work\n");
    await writeFile(join(workspace, "src", "naïve file.txt"), "one\ntwo\n");
    git("init", "-q", "-b", "main");
    git("config", "user.name", "Ada");
    git("config", "user.email", "ada@example.org");
    git("add", ".");
    git("commit", "-qm", "Begin");
    browser = await launchBrowser({ baseUrl: berth.url });
    page = await browser.open("/sandboxes/work/files/src/na%C3%AFve%20file.txt");
    await page.page.getByLabel("Password").fill(password);
    await page.page.getByRole("button", { name: "Sign in" }).click();
  });
  afterAll(async () => {
    await browser?.dispose();
    await berth?.dispose();
  });

  it("shows a file, follows it, and saves what is typed only over what was read", async () => {
    const { page: tab } = page;
    const file = join(workspace, "src", "naïve file.txt");
    await tab.getByText("two", { exact: false }).waitFor();
    await writeFile(file, "changed in the sandbox\n");
    await tab.getByText("changed in the sandbox").waitFor();
    await tab.getByRole("button", { name: "Edit" }).click();
    await tab.getByRole("textbox", { name: /^Edit/ }).fill("mine\n");
    await writeFile(file, "changed again\n");
    await tab.getByRole("button", { name: "Save" }).click();
    await tab.getByRole("button", { name: "Overwrite" }).click();
    await eventually(async () => (await readFile(file, "utf8")) === "mine\n" || undefined, { what: "the file saved" });
  });

  it("shows what has changed in git’s words, and commits it", async () => {
    const { page: tab } = page;
    await tab.getByRole("link", { name: "Changes" }).click();
    await tab.getByRole("button", { name: "src/naïve file.txt: modified" }).click();
    await tab.locator('.diff-line[data-sign="+"]', { hasText: "mine" }).waitFor();
    await tab.getByRole("button", { name: "Stage src/naïve file.txt" }).click();
    await tab.getByLabel("Commit message").fill("Say whose it is");
    await tab.getByRole("button", { name: "Commit 1 file" }).click();
    await tab.locator(".log-subject", { hasText: "Say whose it is" }).waitFor();
    expect(git("log", "--format=%s")).toBe("Say whose it is\nBegin\n");
    expect(git("status", "--porcelain", "--untracked-files=no")).toBe("");
    git("mv", "README.md", "ABOUT.md");
    await tab.getByRole("button", { name: "ABOUT.md: renamed" }).click();
    await tab.getByText("Renamed from README.md").waitFor();
    await tab.getByRole("button", { name: "Unstage ABOUT.md" }).click();
    await tab.getByRole("button", { name: "README.md: deleted" }).waitFor();
    await tab.getByRole("button", { name: "Discard ABOUT.md" }).click();
    await tab.getByRole("button", { name: "Discard", exact: true }).click();
    await tab.getByText("is kept for two weeks in").waitFor();
    expect(git("status", "--porcelain", "--", "ABOUT.md")).toBe("");
    expect(page.errors.filter((error) => !/Failed to load resource|unsafe-eval/.test(error))).toEqual([]);
  });
});
