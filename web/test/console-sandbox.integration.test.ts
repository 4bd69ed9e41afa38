import { BerthError, newId, type Operation, type Project } from "@berth/protocol";
import type { Page } from "playwright-core";
import { beforeEach, describe, expect, it } from "vitest";
import { soon, testedConsole } from "./console-fixture.ts";
import type { FakeController } from "./fake-controller.ts";

const fixture = testedConsole();
let controller: FakeController;
let page: Page;
beforeEach(() => {
  ({ controller, page } = fixture);
});

const workOn = (name: string): Operation => {
  const operation = controller.fleet.operationOn(name);
  if (!operation) throw new Error(`nothing was begun on ${name}`);
  return operation;
};
/** Whether the page, or a dialog on it, is wider than the window. */
const overflows = () =>
  page.evaluate(() =>
    [document.documentElement, ...document.querySelectorAll("main, dialog, .top-bar")].some(
      (part) => part.scrollWidth > part.clientWidth + 1,
    ),
  );
/** Takes it at both widths; on a phone nothing may be cut off. */
const shots = async (name: string) => {
  await fixture.shot(`${name}-1280`);
  await page.setViewportSize({ width: 390, height: 844 });
  await fixture.shot(`${name}-390`);
  expect(await overflows(), `${name} is wider than a phone`).toBe(false);
  await page.setViewportSize({ width: 1280, height: 800 });
};

describe("the snapshots of a sandbox", () => {
  beforeEach(() => void controller.fleet.add("web", "ready"));

  it("say why they cannot be listed, and are there once they can", async () => {
    const hint = "Check that it runs.";
    controller.snapshots.trouble = new BerthError("proxmox_unavailable", "Proxmox does not answer.", { hint });
    await fixture.signIn("/sandboxes/web/snapshots");
    await page.getByText("Proxmox does not answer.").waitFor();
    controller.snapshots.trouble = undefined;
    await page.getByRole("button", { name: "Try again" }).click();
    await page.getByText("No snapshots yet.").waitFor();
  });

  it("are taken step by step; where the storage has none, its cause and cure are told until the next try", async () => {
    await fixture.signIn("/sandboxes/web/snapshots");
    await page.getByRole("button", { name: "Take snapshot" }).click();
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Taking a snapshot of web" }).waitFor();
    await shots("snapshot-running");
    expect(await page.getByRole("button", { name: "Take snapshot" }).isDisabled(), "one at a time").toBe(true);
    controller.snapshots.taken.clear();
    const message = "The storage of the sandbox “web” cannot take snapshots.";
    const hint = "Move the container’s disk to ZFS.";
    controller.fleet.advance(workOn("web"), { code: "snapshots_unsupported", message, hint });
    await page.getByText(message).waitFor();
    await page.getByText(hint).waitFor();
    await shots("snapshots-unsupported");
    await page.getByRole("link", { name: "Settings" }).click();
    expect(await page.getByText(message).count(), "elsewhere it is nobody’s matter").toBe(0);
    await page.getByRole("link", { name: "Snapshots" }).click();
    await page.getByRole("button", { name: "Take snapshot" }).click();
    await page.keyboard.press("Enter");
    await page.getByText(message).waitFor({ state: "detached" });
    controller.fleet.finish(workOn("web"));
    await page.getByText("just now, while it ran").waitFor();
  });

  it("forget a failure that was seen, also over a reload", async () => {
    await fixture.signIn("/sandboxes/web/snapshots");
    await page.getByRole("button", { name: "Take snapshot" }).click();
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Taking a snapshot of web" }).waitFor();
    controller.fleet.advance(workOn("web"), { code: "proxmox_other", message: "It did not work." });
    await page.getByText("It did not work.").waitFor();
    await page.reload();
    await page.getByText("It did not work.").waitFor();
    await page.getByRole("button", { name: "Dismiss" }).click();
    await page.getByText("It did not work.").waitFor({ state: "detached" });
    await page.reload();
    await page.getByRole("heading", { name: "Snapshots" }).waitFor();
    await page.getByText("just now, while it ran").waitFor();
    expect(await page.getByText("It did not work.").count()).toBe(0);
  });

  it("are there while the sandbox sleeps, and do not wake it; its terminals do", async () => {
    controller.fleet.add("idle", "asleep");
    await fixture.signIn("/sandboxes/idle/snapshots");
    await page.getByText("No snapshots yet.").waitFor();
    await page.getByRole("link", { name: "Settings" }).click();
    await page.getByRole("button", { name: "Save changes" }).waitFor();
    expect(controller.fleet.operationOn("idle")).toBeUndefined();
    await page.getByRole("link", { name: "Terminals" }).click();
    await page.getByRole("heading", { name: "Waking idle" }).waitFor();
  });
});

describe("a copy of a sandbox", () => {
  it("that needs its source stopped offers that, and is then made", async () => {
    controller.fleet.add("web", "ready");
    await fixture.signIn("/");
    await page.getByRole("button", { name: "Actions for web" }).click();
    await page.getByRole("menuitem", { name: "Fork…" }).click();
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Copying web-copy" }).waitFor();
    const message = "The sandbox to be copied runs, and its storage cannot take snapshots.";
    controller.fleet.advance(workOn("web-copy"), { code: "fork_needs_stop", message, hint: "Stop it." });
    await page.getByText(message).waitFor();
    await shots("fork-needs-stop");
    await page.getByRole("button", { name: "Stop web and copy it" }).click();
    await expect.poll(() => controller.fleet.operationOn("web")?.kind, soon).toBe("stop");
    controller.fleet.finish(workOn("web"));
    await page.getByRole("heading", { name: "Starting web-copy" }).waitFor();
  });
});

describe("the settings of a sandbox", () => {
  it("tell what somebody has changed in Proxmox, and take it over or set it back", async () => {
    const drift = [
      { setting: "cores", wanted: 2, found: 7 } as const,
      { setting: "diskGiB", wanted: 8, found: 20 } as const,
    ];
    const sandbox = controller.fleet.add("web", "ready", { drift });
    await fixture.signIn("/");
    await shots("fleet-drift");
    await page.getByRole("link", { name: "changed in Proxmox" }).click();
    await page.getByText("7 in Proxmox, 2 here").waitFor();
    await shots("drift");
    await page.getByRole("button", { name: "Set back to Berth’s" }).click();
    await page.getByText("7 in Proxmox").waitFor({ state: "detached" });
    controller.fleet.finish(workOn("web"));
    controller.fleet.change(sandbox, { drift });
    await page.getByRole("button", { name: "Take over Proxmox’s" }).click();
    await expect.poll(() => controller.snapshots.changes, soon).toEqual([{ cores: 2 }, { cores: 7, diskGiB: 20 }]);
  });

  it("say what waits for a restart, and restart it", async () => {
    controller.fleet.add("web", "ready", { restartNeeded: ["memoryMiB"] });
    await fixture.signIn("/sandboxes/web/settings");
    await page.getByText("counts from the next restart on: memory.").waitFor();
    await shots("restart-needed");
    await page.getByRole("button", { name: "Restart now" }).click();
    await page.getByRole("heading", { name: "Restarting web" }).waitFor();
  });

  it("send what was edited alone, keep it while others change the rest, and say that it is saved", async () => {
    const sandbox = controller.fleet.add("web", "ready");
    await fixture.signIn("/sandboxes/web/settings");
    await page.getByLabel("Protect it from deletion").check();
    await page.getByLabel("Sleeps when unused").selectOption("off");
    controller.fleet.change(sandbox, { memoryMiB: 4096 });
    await expect.poll(() => page.getByLabel("Memory, MiB").inputValue(), soon).toBe("4096");
    await page.getByRole("button", { name: "Save changes" }).click();
    await page.getByText("Saved.", { exact: true }).waitFor();
    expect(controller.snapshots.changes).toEqual([{ protection: true, sleepAfterMinutes: "off" }]);
    expect(await page.getByRole("button", { name: "Delete…" }).isDisabled(), "it is protected").toBe(true);
  });

  it("of one that somebody else renames go on under its new name", async () => {
    const sandbox = controller.fleet.add("web", "ready");
    await fixture.signIn("/sandboxes/web/settings");
    await page.getByLabel("Cores").fill("5");
    controller.fleet.change(sandbox, { name: "site" });
    await page.waitForURL("**/sandboxes/site/settings");
    expect(await page.getByLabel("Cores").inputValue(), "what was typed is kept").toBe("5");
  });

  it("of one whose container is gone say so, and what can be done", async () => {
    const message = "The container 201 is gone from Proxmox.";
    const hint = "Restore it from a backup under the same id and press Start, or delete the sandbox.";
    const error = { code: "container_missing", message, hint };
    controller.fleet.add("lost", "failed", { error });
    await fixture.signIn("/sandboxes/lost/settings");
    await page.getByText(message).waitFor();
    await page.getByRole("link", { name: "Terminals" }).click();
    await page.getByText(hint).waitFor();
    await shots("container-gone");
    for (const name of ["Start", "Delete and create anew", "Delete…"])
      expect(await page.getByRole("button", { name, exact: true }).isVisible(), name).toBe(true);
  });
});

describe("a new sandbox", () => {
  const create = (name: string) => page.getByRole("button", { name: `Create ${name}` }).click();

  it("needs no more than Enter, and leaves the rest to the controller", async () => {
    await fixture.signIn("/");
    await page.getByRole("button", { name: "New sandbox" }).click();
    await page.getByLabel("Name").fill("plain");
    expect(await page.getByLabel("Node").isVisible()).toBe(false);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Creating plain" }).waitFor();
    expect(controller.fleet.wishes).toEqual([{ name: "plain" }]);
  });

  it("may have a size, a node, a VLAN and a time of its own; what is wrong is shown though it was folded away", async () => {
    await fixture.signIn("/");
    await page.getByRole("button", { name: "New sandbox" }).click();
    await page.getByLabel("Name").fill("special");
    await page.getByText("Advanced").click();
    await page.getByText("pve3: offline").waitFor({ state: "attached" });
    await shots("new-sandbox");
    await page.getByRole("radio", { name: "Large" }).check();
    await page.getByLabel("Node").selectOption("pve1");
    await page.getByLabel("Sleeps when unused").selectOption("own");
    await page.getByLabel("Minutes").fill("90");
    await page.getByLabel("VLAN").fill("5000");
    await page.getByText("Advanced").click();
    await page.getByLabel("VLAN").waitFor({ state: "hidden" });
    await create("special");
    await page.getByLabel("VLAN").waitFor();
    expect(controller.fleet.wishes).toEqual([]);
    await page.getByLabel("VLAN").fill("20");
    await create("special");
    await page.getByRole("heading", { name: "Creating special" }).waitFor();
    expect(controller.fleet.wishes).toEqual([
      { name: "special", size: "large", node: "pve1", vlan: 20, sleepAfterMinutes: 90 },
    ]);
  });

  it("may begin with a repository that gives it its name; what the controller refuses of it is said at its field", async () => {
    await fixture.signIn("/");
    await page.getByRole("button", { name: "New sandbox" }).click();
    expect(await page.getByRole("radio", { name: "Project" }).count()).toBe(0);
    await page.getByRole("radio", { name: "Empty" }).press("ArrowDown");
    const url = page.getByLabel("Repository", { exact: true });
    await url.fill("https://me:secret@git.lan/me/My_App.git");
    await page.getByLabel("Branch to begin at").fill("a..b");
    await create("my-app");
    await page.getByText("This is no name of a branch.").waitFor();
    await shots("new-sandbox-git");
    await page.getByLabel("Branch to begin at").fill("next");
    const hint = "Give the project a credential instead.";
    const fields = { url: "it has a password in it" };
    controller.fleet.refusal = new BerthError("invalid_request", "It has a password.", { hint, fields });
    await create("my-app");
    await page.getByText(hint).waitFor();
    expect(await url.evaluate((element) => element === document.activeElement)).toBe(true);
    expect(await page.getByRole("alert").count()).toBe(0);
    await url.fill("https://git.lan/me/My_App.git");
    expect(await page.getByText(hint).count()).toBe(0);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Creating my-app" }).waitFor();
    expect(controller.fleet.wishes.at(-1)).toEqual({
      ...{ name: "my-app", workspace: { type: "git", url: "https://git.lan/me/My_App.git", branch: "next" } },
    });
  });

  it("may begin with a project that there is, or with a folder of the controller's host", async () => {
    controller.fleet.projects.push(project("ssh://git.lan/tools.git"), project("git@git.lan:me/site"));
    await fixture.signIn("/");
    const choose = async (source: string) => {
      await page.getByRole("button", { name: "New sandbox" }).click();
      await page.getByRole("radio", { name: source }).check();
    };
    await choose("Project");
    await page.getByRole("combobox", { name: "Project" }).selectOption("git@git.lan:me/site");
    await shots("new-sandbox-project");
    await create("site");
    await page.getByRole("heading", { name: "Creating site" }).waitFor();
    await page.goto(controller.url);
    await choose("Folder");
    await page.getByLabel("Path").fill("srv/code");
    await page.getByText("it begins with /").waitFor();
    await page.getByLabel("Path").fill("/srv/code/");
    const hint = "These are: /home.";
    controller.fleet.refusal = new BerthError("forbidden", "/srv/code is not below a folder.", { hint });
    await create("code");
    await page.locator(".field-wrong").getByText(hint).waitFor();
    await shots("new-sandbox-folder");
    await create("code");
    await page.getByRole("heading", { name: "Creating code" }).waitFor();
    expect(controller.fleet.wishes.slice(0, 2)).toEqual([
      { name: "site", workspace: { type: "git", url: "git@git.lan:me/site" } },
      { name: "code", workspace: { type: "folder", path: "/srv/code/" } },
    ]);
  });
});

const project = (url: string): Project => ({
  ...{ id: newId("project"), url, defaultBranch: "main", credential: false, fetchedAt: null },
  createdAt: "2026-11-01T10:00:00.000Z",
});
