import { type DoctorCheck, newId, type Orphan } from "@berth/protocol";
import type { Page } from "playwright-core";
import { beforeEach, describe, expect, it } from "vitest";
import { soon, testedConsole } from "./console-fixture.ts";
import type { FakeController } from "./fake-controller.ts";

const fixture = testedConsole();
const { signIn, shot } = {
  signIn: (path?: string) => fixture.signIn(path),
  shot: (name: string) => fixture.shot(name),
};
let controller: FakeController;
let page: Page;
beforeEach(() => {
  ({ controller, page } = fixture);
  controller.cluster.ownerId = controller.userId;
});

const orphan = (vmid: number, more: Partial<Orphan> = {}): Orphan => ({
  ...{ vmid, node: "pve1", sandboxId: `sbx_${String(vmid).padStart(20, "0")}`, name: `lost-${vmid}`, owner: "admin" },
  ...{ template: 150, power: "running", obstacle: null },
  ...more,
});
const grant = [
  "pveum role add BerthSandboxes --privs 'VM.Allocate,VM.Clone' || pveum role modify BerthSandboxes --privs 'VM.Allocate,VM.Clone'",
  "pveum acl modify /pool/berth --users 'berth@pve' --roles BerthSandboxes",
].join("\n");
const lacking = (privilege: string): DoctorCheck => ({
  ...{ id: `privilege:/pool/berth:${privilege}`, title: `${privilege} on /pool/berth`, state: "failed", fix: grant },
  detail: "berth@pve!berth lacks it, and needs it to make, run, change, copy and destroy sandboxes.",
});

describe("the cluster", () => {
  it("shows each host with its room, why it is avoided, and the sandboxes on it", async () => {
    controller.fleet.add("alpha", "ready");
    controller.fleet.add("beta", "ready", { node: "pve3" });
    await signIn("/cluster");
    const node = (name: string) => page.locator(`[data-node="${name}"]`);
    await node("pve1").getByText("11.5 of 32 GiB").waitFor();
    await node("pve1").getByRole("link", { name: "alpha" }).waitFor();
    await node("pve1").getByText("and 3 more").waitFor();
    const storage = node("pve1").getByRole("meter", { name: "local-zfs of pve1" });
    expect(await storage.getAttribute("aria-valuenow")).toBe("87");
    expect(await storage.getAttribute("data-tone")).toBe("warn");
    await node("pve2").getByText("No new sandbox is made here: it is in maintenance.").waitFor();
    await node("pve3").getByText("Down", { exact: true }).waitFor();
    await node("pve3").getByRole("link", { name: "beta" }).waitFor();
    await page.locator('[data-limit="sandboxes"]').getByText("12 of 20").waitFor();
    await page.locator('[data-limit="sandboxes"]').getByText("5 of 6").waitFor();
    await shot("cluster");
    await phone();
    await shot("cluster-phone");
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
  });

  it("has sandboxes made ahead when that is asked for, and says why one failed", async () => {
    await signIn("/cluster");
    await page.getByText("BERTH_POOL_SIZE").waitFor();
    await page.getByLabel("Made ahead").fill("200");
    await page.getByText("A number from 0 to 100.").waitFor();
    await page.getByLabel("Made ahead").fill("3");
    await page.getByLabel("Made ahead").press("Enter");
    await page.getByText("ready, 1 being made").waitFor();
    const reason = { code: "no_address", message: "It got no address.", hint: "Look at the bridge." };
    controller.cluster.pool = { size: 3, ready: 2, filling: 0, failed: { count: 2, reason } };
    await page.getByText("2 have failed in a row.").waitFor(soon);
    await page.getByText("It got no address.").waitFor();
    await shot("pool-failing");
  });
});

describe("the doctor", () => {
  it("warns above the fleet, shows the cure to copy, and looks again when asked to", async () => {
    const { cluster } = controller;
    const well = cluster.checks;
    cluster.checks = [lacking("VM.Clone"), lacking("VM.Allocate"), ...well];
    controller.fleet.add("alpha", "ready");
    await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
    await signIn();
    await page.getByText("New sandboxes may fail.").waitFor();
    await shot("doctor-notice");
    await page.getByRole("link", { name: "See what mends it" }).click();
    await page.getByText("2 failed, 2 well.").waitFor();
    expect(await page.getByRole("heading", { level: 2 }).first().textContent()).toBe("Rights of the API token");
    // One cure for both.
    expect(await page.locator(".cure-lines").allTextContents()).toEqual([grant]);
    await page.getByRole("button", { name: "Copy" }).click();
    await page.getByRole("button", { name: "Copied" }).waitFor();
    expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(grant);
    expect(cluster.looks).toBe(1);
    await shot("doctor");
    await page.emulateMedia({ colorScheme: "dark" });
    await phone();
    await shot("doctor-phone-dark");
    cluster.checks = well;
    await page.getByRole("button", { name: "Check again" }).click();
    await page.getByText("All is well: 2 checks.").waitFor();
    expect(cluster.looks).toBe(2);
    await page.getByRole("link", { name: "Berth: all sandboxes" }).click();
    await page.getByRole("heading", { name: "Sandboxes" }).waitFor();
    expect(await page.getByText("New sandboxes may fail.").count()).toBe(0);
    expect(cluster.looks).toBe(2);
  });
});

describe("a container without a sandbox", () => {
  it("is told of above the fleet as it appears, and adopted by keys alone", async () => {
    controller.fleet.add("alpha", "ready");
    await signIn();
    await page.getByText("alpha").waitFor();
    controller.cluster.addOrphan(orphan(301));
    await page.getByText("A container of Berth’s belongs to no sandbox.").waitFor();
    await shot("orphan-notice");
    await page.getByRole("link", { name: "See and adopt" }).click();
    const button = page.getByRole("button", { name: "Adopt lost-301" });
    await button.press("Enter");
    await page.getByRole("dialog").getByText("Nothing is started, stopped or removed").waitFor();
    await shot("adopt-dialog");
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "hidden" });
    expect(await button.evaluate((element) => element === document.activeElement)).toBe(true);
    await page.keyboard.press("Enter");
    await page.getByRole("dialog").waitFor();
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    const adopted = page.locator('[data-adopted="lost-301"]');
    await adopted.locator(".spinner").waitFor();
    await page.getByText("Every container of Berth’s belongs to a sandbox.").waitFor();
    await shot("adopting");
    controller.fleet.finish(await begun("lost-301"));
    await adopted.getByText("Adopted").waitFor();
    await adopted.getByRole("link", { name: "lost-301" }).click();
    await page.waitForURL("**/sandboxes/lost-301**");
  });

  it("is left out of all that are adopted when it cannot be, and says why; one of somebody else’s tells no more", async () => {
    const { cluster } = controller;
    cluster.addOrphan(orphan(301));
    cluster.addOrphan(orphan(302, { owner: null, power: "stopped" }));
    cluster.addOrphan(orphan(303, { node: "pve3", obstacle: "Its node pve3 does not answer." }));
    cluster.ownerId = newId("user");
    await signIn("/cluster");
    await page.getByText("Its node pve3 does not answer.").waitFor();
    expect(await page.getByRole("button", { name: /^Adopt / }).count()).toBe(3);
    await page.getByRole("button", { name: "Adopt all 2…" }).click();
    await phone();
    await shot("adopt-all-phone");
    await page.getByRole("button", { name: "Adopt 2", exact: true }).click();
    await expect.poll(() => page.getByText("It is its owner’s again").count(), soon).toBe(2);
    expect([...cluster.orphans.keys()]).toEqual([303]);
    await shot("adopted-phone");
  });
});

const phone = () => page.setViewportSize({ width: 390, height: 844 });

async function begun(name: string) {
  await expect.poll(() => controller.fleet.operationOn(name), soon).toBeDefined();
  const operation = controller.fleet.operationOn(name);
  if (!operation) throw new Error(`nothing was begun on ${name}`);
  return operation;
}
