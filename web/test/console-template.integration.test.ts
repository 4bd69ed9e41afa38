import type { Operation } from "@berth/protocol";
import type { Page } from "playwright-core";
import { beforeEach, describe, expect, it } from "vitest";
import { soon, testedConsole } from "./console-fixture.ts";
import type { FakeController } from "./fake-controller.ts";

const fixture = testedConsole();
const signIn = (path?: string) => fixture.signIn(path);
const shot = (name: string) => fixture.shot(name);
let controller: FakeController;
let page: Page;
beforeEach(() => {
  ({ controller, page } = fixture);
});

describe("the template", () => {
  it("that is missing is what a new fleet begins with; it is built step by step, with its log", async () => {
    controller.fleet.loseTemplate();
    await signIn();
    await page.getByText("First, the template").waitFor();
    await shot("template-first");
    await page.getByRole("link", { name: "Build the template" }).click();
    await page.getByText("There is no template 150").waitFor();
    await shot("template-missing");
    await page.getByRole("button", { name: "Build the template" }).click();
    const operation = await begun();
    while (operation.steps.find(({ state }) => state === "running")?.name !== "provision") {
      controller.fleet.advance(operation);
    }
    for (const line of ["berth-step: packages", "Setting up git (1:2.39.5-0+deb12u2) ..."]) {
      controller.fleet.log(operation, line);
    }
    await page.getByText("Setting up git").waitFor();
    await shot("template-building");
    await page.setViewportSize({ width: 390, height: 844 });
    await shot("template-building-phone");
    controller.fleet.finish(operation);
    await page.getByText("It is what this Berth would build").waitFor();
    await shot("template-ready-phone");
  });

  it("says why its build failed and what to do, keeps the log after a reload, and is built again", async () => {
    controller.fleet.add("alpha", "ready");
    await signIn("/template");
    await page.getByRole("button", { name: "Rebuild" }).click();
    const operation = await begun();
    controller.fleet.log(operation, "downloading debian-12-standard");
    controller.fleet.advance(operation, {
      code: "debian_missing",
      message: "Debian’s template could not be downloaded.",
      hint: "Look whether the node reaches the internet.",
    });
    await page.getByText("Look whether the node reaches the internet.").waitFor();
    await page.reload();
    await page.getByText("downloading debian-12-standard").waitFor();
    await shot("template-failed");
    await page.getByRole("button", { name: "Rebuild" }).click();
    await page.getByRole("button", { name: "Cancel the build" }).click();
    await page.getByText("Building a template was cancelled").waitFor();
  });

  it("that is old is told of above the fleet, and where it is built can be chosen", async () => {
    controller.fleet.add("alpha", "ready");
    controller.fleet.template = { ...controller.fleet.template, outdated: true, latestVersion: "ffffffffffffffff" };
    await signIn();
    await page.getByText("The template is older than this Berth.").waitFor();
    await shot("template-old-notice");
    await page.getByRole("link", { name: "Rebuild it" }).click();
    await page.getByText("ffffffffffffffff").waitFor();
    await shot("template-old");
    await page.getByRole("button", { name: "Choose where…" }).click();
    await page.getByLabel("Id (VMID)").fill("7");
    await page.getByText("A number from 100 on.").waitFor();
    await page.getByLabel("Id (VMID)").fill("160");
    await shot("template-where");
    await page.getByRole("dialog").getByRole("button", { name: "Build", exact: true }).click();
    await begun();
  });

  it("that is missing keeps a sandbox from being asked for, and says where to build it", async () => {
    controller.fleet.add("alpha", "ready");
    controller.fleet.loseTemplate();
    await signIn();
    await page.getByText("There is no template to clone sandboxes from.").waitFor();
    await page.getByRole("button", { name: "New sandbox" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByText("A sandbox is a clone of it.").waitFor();
    await shot("template-dialog");
    expect(await dialog.getByRole("button", { name: /^Create/ }).isDisabled()).toBe(true);
    await dialog.getByRole("link", { name: "Build the template" }).click();
    await page.getByRole("heading", { name: "Template", exact: true }).waitFor();
  });

  it("that is old and built here can be deleted, the present one not", async () => {
    const built = { node: "pve", version: "1", builtAt: new Date(0).toISOString(), skipped: [] };
    const templates = [
      { ...built, id: "tpl_00000000000000000002", vmid: 161, current: true, sandboxes: 2 },
      { ...built, id: "tpl_00000000000000000001", vmid: 160, current: false, sandboxes: 0 },
    ];
    controller.fleet.template = { ...controller.fleet.template, templates };
    await signIn("/template");
    await page.getByText("Built here").waitFor();
    expect(await page.getByRole("button", { name: "Delete the template 161" }).count()).toBe(0);
    await page.getByRole("button", { name: "Delete the template 160" }).click();
    await page.getByRole("button", { name: "Delete it" }).click();
    await expect.poll(() => page.getByRole("button", { name: "Delete the template 160" }).count(), soon).toBe(0);
    expect(controller.fleet.template.templates.map(({ vmid }) => vmid)).toEqual([161]);
  });

  /** The build that was asked for, once the controller has heard of it. */
  async function begun(): Promise<Operation> {
    await expect.poll(() => controller.fleet.template.build, soon).not.toBeNull();
    return controller.fleet.operation(controller.fleet.template.build ?? "");
  }
});
