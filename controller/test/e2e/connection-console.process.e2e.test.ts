import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { Scope } from "@berth/base";
import { getSandbox } from "@berth/protocol";
import { type RunningEmulator, startEmulator } from "@berth/pve-emulator";
import { type BrowserDriver, type BrowserPage, eventually, launchBrowser, temporaryDirectory } from "@berth/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Berth, startBerth } from "./berth.ts";

const password = "correct horse battery staple";
const soon = { timeout: 15_000 };

describe("connecting a Proxmox in the console", () => {
  const scope = new Scope();
  let berth: Berth;
  let proxmox: RunningEmulator;
  let browser: BrowserDriver;
  let opened: BrowserPage;

  beforeAll(async () => {
    const folder = await temporaryDirectory("berth-other-proxmox-");
    scope.add(folder.dispose);
    proxmox = scope.own(await startEmulator({ dataDir: folder.path, backend: "process", isolated: false }));
    berth = await startBerth();
    scope.add(() => berth.dispose());
    browser = await launchBrowser({ baseUrl: berth.url });
    scope.add(() => browser.dispose());
    opened = await browser.open("/");
    await opened.page.getByLabel("Password").fill(password);
    await opened.page.getByRole("button", { name: "Sign in" }).click();
  });
  afterAll(() => scope.dispose());

  /** Screenshots of both widths, where BERTH_SHOTS names a folder. */
  async function shot(name: string): Promise<void> {
    const folder = process.env.BERTH_SHOTS;
    if (!folder) return;
    await mkdir(folder, { recursive: true });
    for (const width of [1280, 390]) {
      await opened.page.setViewportSize({ width, height: 844 });
      await opened.page.screenshot({ path: join(folder, `${name}-${width}.png`), fullPage: true });
    }
    await opened.page.setViewportSize({ width: 1280, height: 844 });
  }

  it("goes from the bundled one to a sandbox on it, with the lines that it shows", async () => {
    const { page } = opened;
    const fill = async (token: string) => {
      const [id = "", secret = ""] = token.split("=");
      await page.getByLabel("Token id").fill(id);
      await page.getByLabel("Secret of the token").fill(secret);
    };
    await page.getByText("or try it on this machine").waitFor(soon);
    await shot("0-empty");
    await page.getByRole("link", { name: "Connect your Proxmox" }).click();

    await page.getByLabel("Address").fill("https://127.0.0.1:1");
    await page.keyboard.press("Enter");
    await page.getByText("nothing listens on port 1").waitFor(soon);
    await shot("1-address-refused");
    await page.getByLabel("Address").fill(proxmox.url);
    await page.keyboard.press("Enter");

    await page.getByText("Is this your Proxmox?").waitFor(soon);
    expect((await page.locator(".fingerprint").innerText()).replaceAll(/\s/g, "")).toBe(proxmox.fingerprint);
    expect(await page.getByRole("button", { name: "Continue" }).isDisabled()).toBe(true);
    await page.getByRole("checkbox").check();
    await shot("2-certificate");
    await page.getByRole("button", { name: "Continue" }).click();

    await page.getByText("pveum pool add sandboxes").waitFor(soon);
    await fill(proxmox.powerlessToken);
    await shot("3-token");
    await page.getByRole("button", { name: "Check the connection" }).click();
    await page.getByText("Mend what failed, then check again.").waitFor(soon);
    expect(await page.getByRole("button", { name: "Use this Proxmox" }).isDisabled()).toBe(true);
    await shot("4-checks-failed");

    await page.goBack();
    expect(await page.getByLabel("Secret of the token").inputValue()).toBe(proxmox.powerlessToken.split("=")[1]);
    await page.reload();
    expect(await page.getByLabel("Token id").inputValue()).toBe(proxmox.powerlessToken.split("=")[0]);
    expect(await page.getByLabel("Secret of the token").inputValue()).toBe("");
    await page.getByLabel("Token id").fill("me@pve!berth");
    await page.getByLabel("Pool").fill("berth");
    await page.getByText("pveum pool add berth").waitFor(soon);
    const printed: (string | undefined)[] = [];
    const lines = page.locator(".cure-lines");
    for (const line of (await lines.innerText()).split("\n")) printed.push(await proxmox.control.pveum(line));
    await fill(`me@pve!berth=${printed.findLast((text) => text !== undefined)}`);
    await page.getByRole("button", { name: "Check the connection" }).click();
    await page.getByText("It can be used.").waitFor(soon);
    await shot("5-checks-warned");

    // Its template takes the keys that are made from its own token: one that Berth builds takes Berth's.
    await page.getByRole("button", { name: "Back" }).click();
    await fill(proxmox.token);
    await page.getByLabel("Pool").fill(proxmox.pool);
    await page.getByRole("button", { name: "Check the connection" }).click();
    await page.getByText("It can be used.").waitFor(soon);
    await page.getByRole("combobox", { name: "Storage" }).selectOption(proxmox.storage);
    await page.getByRole("button", { name: "Check again" }).click();
    await page.getByText("It can be used.").waitFor(soon);
    await shot("5-checks-well");
    await page.getByRole("button", { name: "Use this Proxmox" }).click();
    await page.getByText("The template is there").waitFor({ timeout: 30_000 });
    await shot("6-template");
    await page.getByRole("button", { name: "Continue" }).click();
    await shot("7-sandbox");
    await page.getByRole("button", { name: "Make the first sandbox" }).click();
    await page.getByLabel("Name").fill("first");
    await page.getByRole("button", { name: "Create first" }).click();
    await page.waitForURL("**/sandboxes/first**", soon);
    const sandbox = await eventually(
      async () => {
        const { state, vmid, error } = await berth.client.call(getSandbox, { params: { id: "first" } });
        if (error) throw new Error(error.message);
        return state === "ready" ? { vmid } : undefined;
      },
      { what: "the sandbox ready", timeoutMs: 30_000 },
    );
    const clones = proxmox.control.calls
      .since(0)
      .filter(({ method, target }) => method === "POST" && target.endsWith("/clone"));
    expect(clones).toHaveLength(1);
    expect(sandbox.vmid).toBeGreaterThan(100);
    await page.goto(`${berth.url}/proxmox`);
    await page.getByText("Berth uses the Proxmox that was set up here.").waitFor(soon);
    await shot("8-present");
    expect(opened.errors.filter((error) => !/Failed to load resource|unsafe-eval|net::ERR/.test(error))).toEqual([]);
  });
});
