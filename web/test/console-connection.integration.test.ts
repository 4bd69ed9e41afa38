import { BerthError } from "@berth/protocol";
import type { Page } from "playwright-core";
import { beforeEach, describe, expect, it } from "vitest";
import { soon, testedConsole } from "./console-fixture.ts";
import type { FakeController } from "./fake-controller.ts";

const fixture = testedConsole();
const secret = "01234567-89ab-cdef-0123-456789abcdef";
let controller: FakeController;
let page: Page;
beforeEach(() => {
  ({ controller, page } = fixture);
});

const button = (name: string) => page.getByRole("button", { name });
async function untilToken(addresses = "192.168.1.2"): Promise<void> {
  await fixture.signIn("/proxmox/address");
  await page.getByLabel("Address").fill(addresses);
  await button("Look at the certificate").click();
  await page.getByRole("checkbox").check();
  await button("Continue").click();
  await page.getByLabel("Secret of the token").fill(secret);
}

describe("the set-up of a Proxmox", () => {
  it("asks for nothing but what is missing: a page that is opened later gives way to the step before", async () => {
    await fixture.signIn("/proxmox/checks");
    await page.waitForURL("**/proxmox/address", soon);
    await button("Look at the certificate").click();
    await page.getByText("Name one address.").waitFor(soon);
    expect(await page.getByLabel("Address").getAttribute("aria-invalid")).toBe("true");
  });

  it("shows each node's certificate, and wants a word that they were compared, again after another address", async () => {
    await untilToken("pve1, pve2");
    await page.goBack();
    expect(await page.locator(".certificate").count()).toBe(2);
    expect(await page.getByRole("checkbox").isChecked()).toBe(true);
    await page.goBack();
    await page.getByLabel("Address").fill("pve1, pve3");
    await page.keyboard.press("Enter");
    await page.getByText("https://pve3:8006").waitFor(soon);
    expect(await page.getByRole("checkbox").isChecked()).toBe(false);
    expect(await button("Continue").isDisabled()).toBe(true);
  });

  it("pins nothing where authorities vouch for the certificate", async () => {
    controller.connection.distrust = null;
    await fixture.signIn("/proxmox/address");
    await page.getByLabel("Address").fill("https://pve.example.org");
    await page.keyboard.press("Enter");
    await page.getByText("vouches for it").waitFor(soon);
    await button("Continue").click();
    await page.getByLabel("Secret of the token").fill(secret);
    await page.keyboard.press("Enter");
    await page.getByText("It can be used.").waitFor(soon);
    expect(controller.connection.examined.at(-1)).toMatchObject({
      urls: ["https://pve.example.org"],
      fingerprints: [],
    });
  });

  it("checks what was chosen before it can be used, and says why it was not saved", async () => {
    controller.connection.refusal = new BerthError(
      "conflict",
      "The Proxmox that is used now still has 1 sandbox (web).",
      {
        hint: "Delete it first.",
      },
    );
    await untilToken();
    await button("Check the connection").click();
    await page.getByText("It can be used.").waitFor(soon);
    await page.getByRole("combobox", { name: "Bridge" }).selectOption("vmbr1");
    await page.getByLabel("VLAN").fill("20");
    await page.getByText("Changed since the last check.").waitFor(soon);
    expect(await button("Use this Proxmox").isDisabled()).toBe(true);
    await button("Check again").click();
    await page.getByText("It can be used.").waitFor(soon);
    expect(controller.connection.examined.at(-1)).toMatchObject({ bridge: "vmbr1", vlan: 20, pool: "sandboxes" });
    await button("Use this Proxmox").click();
    await page.getByText("still has 1 sandbox (web)").waitFor(soon);
    await page.emulateMedia({ colorScheme: "dark" });
    await fixture.shot("connection-refused-dark");
    expect(controller.connection.present.source).toBe("bundled");
  });

  it("goes on with the template where there is none, which is built there", async () => {
    controller.fleet.loseTemplate();
    await untilToken();
    await button("Check the connection").click();
    await button("Use this Proxmox").click();
    await page.waitForURL("**/proxmox/template", soon);
    expect(await button("Continue").isDisabled()).toBe(true);
    await button("Build the template").click();
    await page.getByText("Cancel the build").waitFor(soon);
    await fixture.shot("connection-template");
    await page.setViewportSize({ width: 390, height: 844 });
    await fixture.shot("connection-template-phone");
  });

  it("is not offered where the environment says which one is used", async () => {
    controller.connection.present = { ...controller.connection.present, source: "environment" };
    await fixture.signIn("/proxmox");
    await page.getByText("Set by the environment").waitFor(soon);
    expect(await page.getByRole("link", { name: "Connect your Proxmox" }).count()).toBe(0);
    await page.goto(`${controller.url}/proxmox/address`);
    await page.getByText("Set by the environment").waitFor(soon);
    expect(await page.getByLabel("Address").count()).toBe(0);
  });

  it("can be taken back to the bundled one", async () => {
    controller.connection.present = {
      ...controller.connection.present,
      source: "kept",
      savedAt: "2026-11-20T12:00:00.000Z",
    };
    await fixture.signIn("/settings");
    await page.getByRole("link", { name: "Change the connection" }).click();
    await button("Use the bundled one again").click();
    await button("Use the bundled one").last().click();
    await page.getByText("the small Proxmox that it brings along").waitFor(soon);
  });
});
