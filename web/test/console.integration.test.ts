import type { Page } from "playwright-core";
import { beforeEach, describe, expect, it } from "vitest";
import type {} from "../src/terminal/test-window.ts";
import { soon, testedConsole } from "./console-fixture.ts";
import { credentials, type FakeController } from "./fake-controller.ts";

const fixture = testedConsole();
const signIn = (path?: string) => fixture.signIn(path);
const shot = (name: string) => fixture.shot(name);
let controller: FakeController;
let page: Page;
beforeEach(() => {
  ({ controller, page } = fixture);
});

/** The screen of the terminal that was opened last. */
async function screen(): Promise<string> {
  return page.evaluate(() => {
    const ids = window.__berth?.terminals() ?? [];
    return window.__berth?.screenText(ids.at(-1) ?? "") ?? "";
  });
}

async function phase(): Promise<string | undefined> {
  return page.evaluate(() => window.__berth?.connection(window.__berth.terminals().at(-1) ?? "")?.phase);
}

describe("the gate", () => {
  it("takes the set-up token out of the address bar at once, and signs in with the new password", async () => {
    controller.setupRequired = true;
    await page.goto(`${controller.url}/#setup=${credentials.setupToken}`);
    await page.getByLabel("New password").fill("short");
    expect(page.url()).toBe(`${controller.url}/`);
    await page.getByRole("button", { name: /Set password/ }).click();
    await page.getByText("At least 10 characters.").waitFor();
    await page.getByLabel("New password").fill(credentials.password);
    await page.getByLabel("Once more").fill(credentials.password);
    await page.getByRole("button", { name: /Set password/ }).click();
    await page.getByText("No sandboxes yet").waitFor();
  });

  it("says that a password is wrong, and returns to the page that was asked for", async () => {
    await page.goto(`${controller.url}/settings`);
    await page.getByLabel("Password").fill("wrong");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByText("The user name or the password is wrong.").waitFor();
    await page.getByLabel("Password").fill(credentials.password);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("heading", { name: "API tokens" }).waitFor();
  });

  it("returns when the session has ended", async () => {
    await signIn();
    await page.getByText("No sandboxes yet").waitFor();
    controller.expireSessions();
    await page.getByText("Your session has ended.").waitFor();
  });
});

describe("a new sandbox", () => {
  it("goes by its steps to Claude’s prompt, and is the same after a reload", async () => {
    await signIn();
    await page.getByRole("button", { name: "New sandbox" }).click();
    await page.getByLabel("Name").fill("first");
    await page.getByRole("button", { name: "Create first" }).click();
    await page.getByRole("heading", { name: "Creating first" }).waitFor();
    const operation = controller.fleet.operationOn("first");
    if (!operation) throw new Error("nothing was begun");
    controller.fleet.advance(operation);
    controller.fleet.log(operation, "create full clone of 150");
    await page.locator('[data-step="clone"][data-state="running"]').waitFor();
    await page.locator('[data-step="clone"] button').click();
    await page.getByText("create full clone of 150").waitFor();
    controller.fleet.finish(operation);
    await expect.poll(screen, soon).toContain("Welcome to Claude Code");
    await page.keyboard.type("hello é");
    await page.keyboard.press("Enter");
    await expect.poll(screen, soon).toContain("You said: hello é");
    await page.reload();
    await expect.poll(screen, soon).toContain("You said: hello é");
    expect(controller.fleet.ptys.size).toBe(1);
  });

  it("that fails says why and what to do, keeps its log, and is made anew", async () => {
    await signIn();
    await page.getByRole("button", { name: "New sandbox" }).click();
    await page.getByLabel("Name").fill("second");
    await page.getByRole("button", { name: "Create second" }).click();
    const operation = controller.fleet.operationOn("second");
    if (!operation) throw new Error("nothing was begun");
    controller.fleet.log(operation, "no space left");
    const message = "The storage local-lvm is full.";
    controller.fleet.advance(operation, { code: "proxmox_unavailable", message, hint: "Free some space." });
    await page.getByText(message).waitFor();
    await page.getByText("no space left").waitFor();
    await page.getByRole("button", { name: "Delete and create anew" }).click();
    await page.getByRole("heading", { name: "Deleting second" }).waitFor();
    const deletion = controller.fleet.operationOn("second");
    if (deletion) controller.fleet.finish(deletion);
    await page.getByRole("heading", { name: "Creating second" }).waitFor();
  });
});

describe("a terminal", () => {
  beforeEach(async () => {
    controller.fleet.add("work", "ready");
    await signIn("/sandboxes/work");
    await expect.poll(phase, soon).toBe("connected");
  });

  const pty = () => {
    const last = [...controller.fleet.ptys.values()].at(-1);
    if (!last) throw new Error("there is no terminal");
    return last;
  };

  it("goes on after a cut, with what was typed meanwhile, once", async () => {
    pty().cut();
    await page.keyboard.type("abc");
    pty().print("meanwhile ");
    await expect.poll(() => pty().typed, soon).toBe("abc");
    await expect.poll(screen, soon).toContain("meanwhile abc");
  });

  it("goes on when the controller comes back, and says that it is away", async () => {
    const port = Number(new URL(controller.url).port);
    await controller.close();
    await page.getByText("Reconnecting…").waitFor();
    await controller.listen(port);
    await expect.poll(phase, { timeout: 20_000 }).toBe("connected");
    await page.getByText("Reconnecting…").waitFor({ state: "detached", timeout: 20_000 });
    await page.keyboard.type("back");
    await expect.poll(screen, soon).toContain("back");
  });

  it("says how it exited, and starts again", async () => {
    await page.keyboard.type("exit");
    await page.keyboard.press("Enter");
    await page.getByText("Claude exited with code 0.").waitFor();
    await page.getByRole("button", { name: "Start again" }).click();
    await expect.poll(phase, soon).toBe("connected");
    expect(controller.fleet.ptys.size).toBe(1);
    expect(pty().terminal.state).toBe("running");
  });

  it("has tabs, chosen by Alt and a digit, and asks before it ends what runs", async () => {
    await page.getByRole("button", { name: "New terminal" }).click();
    await page.getByRole("menuitem", { name: "Shell" }).click();
    const shell = page.getByRole("tab", { name: "Shell" });
    await shell.waitFor();
    await expect.poll(() => shell.getAttribute("aria-selected")).toBe("true");
    await expect.poll(phase, soon).toBe("connected");
    await page.keyboard.press("Alt+1");
    await expect.poll(() => shell.getAttribute("aria-selected")).toBe("false");
    await page.keyboard.press("Alt+2");
    await page.getByRole("button", { name: "Close Shell" }).click();
    await page.getByRole("button", { name: "End and close" }).click();
    await shell.waitFor({ state: "detached" });
    expect(controller.fleet.ptys.size).toBe(1);
  });

  it("saves its recording under the name that the server gives, or says why there is none", async () => {
    const save = async () => {
      await page.getByRole("button", { name: "Actions for the terminal Claude" }).click();
      await page.getByRole("menuitem", { name: "Download recording" }).click();
    };
    await save();
    await page.getByText("Terminals are not recorded.").waitFor();
    controller.recording = '{"version":3,"term":{"cols":80,"rows":24}}\n';
    const download = page.waitForEvent("download");
    await save();
    expect((await download).suggestedFilename()).toBe("work-claude.cast");
    await page.getByText("Terminals are not recorded.").waitFor({ state: "detached" });
    expect(await phase()).toBe("connected");
  });

  it("shows another viewer’s size scaled, until one types here", async () => {
    pty().resizeByOther(200, 60);
    await page.getByText("Shown in the size of another viewer, 200 × 60.").waitFor();
    await page.keyboard.type("x");
    await expect.poll(() => pty().terminal.cols, soon).not.toBe(200);
    await page.getByText("Shown in the size of another viewer").waitFor({ state: "detached" });
  });

  it("takes files that are dropped, pasted and picked, one after the other, and says why it does not", async () => {
    const held = Promise.withResolvers<void>();
    controller.uploads = held.promise;
    await page.evaluate(offerFiles("dragenter", ["a.png"]));
    await page.getByText("Drop to put it into the sandbox.").waitFor();
    await shot("drop-hint");
    await page.evaluate(offerFiles("drop", ["a.png", "full.bin"]));
    await page.getByText("Being written…").waitFor();
    await page.getByText("Waits for the others").waitFor();
    await page.evaluate(offerFiles("paste", ["late.txt"]));
    const chooser = page.waitForEvent("filechooser");
    await page.getByRole("button", { name: "Send files to this terminal" }).click();
    await (await chooser).setFiles({ name: "unwanted.iso", mimeType: "", buffer: Buffer.from("x") });
    await page.getByRole("button", { name: "Cancel unwanted.iso" }).click();
    await shot("files-waiting");
    held.resolve();
    await page.getByText("The sandbox's disk is full. Make room in it, or give it a larger disk.").waitFor();
    await page.getByText("/workspace/.berth/dropped/late.txt", { exact: true }).waitFor();
    await shot("files-failed");
    await page.setViewportSize({ width: 390, height: 700 });
    await shot("files-phone");
    await expect.poll(screen, soon).toContain("/workspace/.berth/dropped/a.png");
    expect(await screen()).not.toContain("unwanted");
    await page.getByText("Is in the sandbox").waitFor({ state: "detached" });
    await page.getByRole("button", { name: "Dismiss full.bin" }).click();
    await page.keyboard.type("k");
    await expect.poll(() => pty().typed, soon).toBe("k");
  });

  it("takes pasted text as text, and no files once its program has ended", async () => {
    await page.evaluate(offerFiles("paste", [], "some text"));
    await expect.poll(() => pty().typed, soon).toContain("some text");
    await page.keyboard.press("Enter");
    await page.keyboard.type("exit");
    await page.keyboard.press("Enter");
    await page.getByText("Claude exited with code 0.").waitFor();
    await page.evaluate(offerFiles("dragenter", ["a.png"]));
    await page.locator(".drop-hint").getByText("start it again to put files here").waitFor();
    await page.evaluate(offerFiles("drop", ["a.png"]));
    await page.locator(".file-transfer").getByText("start it again to put files here").waitFor();
    expect(await page.getByRole("button", { name: "Send files to this terminal" }).isDisabled()).toBe(true);
  });

  it("rings in the page’s title until it is seen, and carries the program’s own title", async () => {
    await page.keyboard.type("title Reading files");
    await page.keyboard.press("Enter");
    await expect.poll(() => page.title(), soon).toBe("Reading files · work · Berth");
    await page.getByRole("button", { name: "New terminal" }).click();
    await page.getByRole("menuitem", { name: "Shell" }).click();
    await page.getByRole("tab", { name: "Shell" }).waitFor();
    [...controller.fleet.ptys.values()][0]?.print("\x07");
    await page.getByRole("tab", { name: /Claude.*rang/ }).waitFor();
  });
});

describe("the fleet", () => {
  it("follows the sandboxes as they change, and says what a delete loses", async () => {
    const sandbox = controller.fleet.add("alpha", "ready");
    await signIn();
    const row = page.locator('[data-sandbox="alpha"]');
    await row.getByText("Ready").waitFor();
    controller.fleet.change(sandbox, { state: "stopped" });
    await row.getByText("Stopped").waitFor();
    await row.getByRole("button", { name: "Actions for alpha" }).click();
    await page.getByRole("menuitem", { name: "Delete…" }).click();
    await page.getByText(`container ${sandbox.vmid} on pve1 with its 8 GiB disk`).waitFor();
    await page.getByRole("button", { name: "Delete alpha" }).click();
    await row.getByText("Deleting").waitFor();
    const deletion = controller.fleet.operationOn("alpha");
    if (deletion) controller.fleet.finish(deletion);
    await page.getByText("No sandboxes yet").waitFor();
  });

  it("deletes a sandbox with unsaved work once it was said what would be lost, and said again", async () => {
    const sandbox = controller.fleet.add("alpha", "ready");
    controller.fleet.unsaved.add(sandbox.id);
    await signIn();
    const row = page.locator('[data-sandbox="alpha"]');
    const ask = async () => {
      await row.getByRole("button", { name: "Actions for alpha" }).click();
      await page.getByRole("menuitem", { name: "Delete…" }).click();
      await page.getByRole("button", { name: "Delete alpha" }).click();
      await page.getByText("2 unpushed commits").waitFor();
    };
    await ask();
    await page.getByRole("button", { name: "Keep it" }).click();
    // It is asked anew each time.
    await ask();
    await page.getByRole("button", { name: "Delete it anyway" }).click();
    await row.getByText("Deleting").waitFor();
  });

  it("shows an agent’s update while it runs, and one that was rolled back", async () => {
    const sandbox = controller.fleet.add("alpha", "ready");
    await signIn();
    const row = page.locator('[data-sandbox="alpha"]');
    await row.getByText("Ready").waitFor();
    controller.fleet.updateAgent(sandbox, "updating", "0.2.0");
    await row.getByText("agent updating").waitFor();
    await shot("agent-updating-list");
    await row.getByRole("link", { name: "alpha" }).click();
    await page.locator(".top-bar").getByText("agent updating").waitFor();
    await shot("agent-updating");
    controller.fleet.updateAgent(sandbox, "failed", "0.2.0");
    await page.getByText("did not work here and was rolled back").waitFor();
    await shot("agent-rolled-back");
    await page.goBack();
    await row.getByText("agent update rolled back").waitFor();
    await shot("agent-rolled-back-list");
    controller.fleet.updateAgent(sandbox, "updating", "0.2.0");
    await row.getByText("agent updating").waitFor();
    // It has come back with the new version, whatever else was told or not.
    controller.fleet.change(sandbox, { agent: { connected: true, version: "0.2.0" } });
    await expect.poll(() => page.locator("[data-agent-update]").count(), soon).toBe(0);
  });

  it("says what is wrong with the whole, and how to cure it", async () => {
    controller.trouble = { message: "Proxmox refuses the token.", hint: "Check PROXMOX_TOKEN_SECRET." };
    await signIn();
    await page.getByText("Proxmox refuses the token.").waitFor();
    await page.getByText("Check PROXMOX_TOKEN_SECRET.").waitFor();
  });
});

/** A program for the page that offers files, and text, to its terminal as a browser does. */
function offerFiles(event: "dragenter" | "drop" | "paste", names: string[], text = ""): string {
  return `(() => {
    const transfer = new DataTransfer();
    for (const name of ${JSON.stringify(names)}) transfer.items.add(new File(["x".repeat(1000)], name));
    if (${JSON.stringify(text)}) transfer.setData("text/plain", ${JSON.stringify(text)});
    const how = { dataTransfer: transfer, clipboardData: transfer, bubbles: true, cancelable: true };
    const made = ${JSON.stringify(event)} === "paste" ? ClipboardEvent : DragEvent;
    document.querySelector(".terminal-host textarea").dispatchEvent(new made(${JSON.stringify(event)}, how));
  })()`;
}
