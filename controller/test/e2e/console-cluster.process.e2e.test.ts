import { join } from "node:path";
import { Scope, systemClock } from "@berth/base";
import { newId } from "@berth/protocol";
import type { ProxmoxClient } from "@berth/proxmox";
import { MemoryBackend, type RunningEmulator, startEmulator, subnetOf } from "@berth/pve-emulator";
import { type BrowserPage, launchBrowser, testDatabase } from "@berth/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connectProxmox } from "../../src/cluster/connection.ts";
import { loadFleetKeys } from "../../src/fleet/keys.ts";
import { describeOwner } from "../../src/fleet/ownership.ts";
import { type Berth, prepareBerth } from "./berth.ts";

const gib = 1024 ** 3;
const password = "correct horse battery staple";
const orphanVmid = 300;

/** The console's view of a cluster of three hosts, one of them down. */
describe("the console on a cluster", () => {
  const scope = new Scope();
  let emulator: RunningEmulator;
  let berth: Berth;
  let page: BrowserPage;

  beforeAll(async () => {
    const database = await testDatabase();
    scope.add(() => database.dispose());
    berth = await prepareBerth({ env: { DATABASE_URL: database.url } });
    scope.add(() => berth.dispose());
    emulator = scope.own(await startThreeHosts(join(berth.dataDir, "three-hosts")));
    const [tokenId = "", tokenSecret = ""] = emulator.token.split("=");
    const fingerprints = emulator.nodes.map(({ fingerprint }) => fingerprint);
    const urls = emulator.nodes.map(({ url }) => url);
    Object.assign(berth.env, {
      ...{ PROXMOX_URL: urls.join(","), PROXMOX_TOKEN_ID: tokenId, PROXMOX_TOKEN_SECRET: tokenSecret },
      ...{ PROXMOX_FINGERPRINT: fingerprints.join(","), PROXMOX_POOL: emulator.pool, BERTH_MAX_SANDBOXES: "20" },
    });
    const client = scope.own(connectProxmox({ urls, tokenId, tokenSecret, fingerprints }, systemClock, () => {}));
    await leaveOrphan(client, emulator, berth.dataDir);
    await emulator.control.pveum(
      "pveum acl delete /sdn/zones/localnetwork --users 'controller@pve' --roles BerthController",
    );
    await berth.start();
    await emulator.control.befall({ node: "pve3", online: false });
    const browser = await launchBrowser({ baseUrl: berth.url });
    scope.add(() => browser.dispose());
    page = await browser.open("/");
    await page.page.getByLabel("Password").fill(password);
    await page.page.getByRole("button", { name: "Sign in" }).click();
  }, 60_000);
  afterAll(() => scope.dispose());

  it("warns of what the doctor found, and the lines that it shows mend that", async () => {
    const { page: tab } = page;
    await tab.getByText("New sandboxes may fail.").waitFor();
    await tab.getByRole("link", { name: "See what mends it" }).click();
    const check = tab.locator('[data-check="privilege:/sdn/zones/localnetwork/vmbr0:SDN.Use"]');
    await check.getByText("Failed").waitFor();
    const problem = tab.locator(".problem", { has: check });
    const lines = await problem.locator(".cure-lines").innerText();
    expect(lines).toContain("pveum acl modify /sdn/zones/localnetwork/vmbr0 --users 'controller@pve'");
    for (const line of lines.trim().split("\n")) await emulator.control.pveum(line);
    await tab.getByRole("button", { name: "Check again" }).click();
    await check.getByText("Failed").waitFor({ state: "detached" });
    expect(await tab.getByText("Failed", { exact: true }).count()).toBe(0);
    // Sandboxes are made where the template's storage is.
    await tab.locator('[data-check="storage:pve2"]').getByText("Warning").waitFor();
    // A host that is down is a warning while others answer.
    await tab.locator(`[data-check="proxmox:${emulator.nodes[2]?.url}"]`).getByText("Warning").waitFor();
  });

  it("shows the hosts with their room, and which of them is down", async () => {
    const { page: tab } = page;
    await tab.getByRole("link", { name: "Cluster" }).click();
    const node = (name: string) => tab.locator(`[data-node="${name}"]`);
    await node("pve1").getByText("Online").waitFor();
    await node("pve1").getByRole("meter", { name: "local-zfs of pve1" }).waitFor();
    await node("pve2").getByText("none is there, and none elsewhere on a storage that it shares").waitFor();
    await node("pve3").getByText("Down", { exact: true }).waitFor();
    await tab.locator('[data-limit="sandboxes"]').getByText("0 of 20").waitFor();
  });

  it("adopts a container that belongs to no sandbox, of which it told", async () => {
    const { page: tab } = page;
    await tab.getByRole("link", { name: "Sandboxes", exact: true }).click();
    await tab.getByText("A container of Berth’s belongs to no sandbox.").waitFor();
    await tab.getByRole("link", { name: "See and adopt" }).click();
    await tab.getByRole("button", { name: "Adopt shop" }).click();
    await tab.getByRole("dialog").getByRole("button", { name: "Adopt" }).click();
    await tab.locator('[data-adopted="shop"]').getByText("Adopted").waitFor();
    await tab.locator('[data-node="pve1"]').getByRole("link", { name: "shop" }).waitFor();
    await tab.getByRole("link", { name: "Sandboxes", exact: true }).click();
    await tab.locator('[data-sandbox="shop"][data-state="stopped"]').waitFor();
    expect(await tab.locator('[data-notice="orphans"]').count()).toBe(0);
    expect(page.errors.filter((error) => !/Failed to load resource|unsafe-eval/.test(error))).toEqual([]);
  });
});

function startThreeHosts(dataDir: string): Promise<RunningEmulator> {
  const size = { cores: 8, memoryBytes: 32 * gib };
  return startEmulator({
    dataDir,
    cluster: {
      nodes: ["pve1", "pve2", "pve3"].map((name) => ({ name, ...size })),
      storages: [
        { storage: "local-zfs", type: "zfspool", nodes: ["pve1"], totalBytes: 100 * gib },
        { storage: "local-dir", type: "dir", nodes: ["pve2"], totalBytes: 200 * gib },
      ],
      templates: [{ vmid: 150, node: "pve1", storage: "local-zfs" }],
    },
    backend: ({ tokenSecret }) =>
      new MemoryBackend({
        ...{ clock: systemClock, tokenSecret, subnet: subnetOf(dataDir), sshPort: 2222, sshUser: "root" },
        boot: async () => ({ kill: () => {} }),
      }),
  });
}

/** A container as this fleet makes them, stopped, of which its database knows nothing. */
async function leaveOrphan(client: ProxmoxClient, { pool }: RunningEmulator, dataDir: string): Promise<void> {
  const keys = await loadFleetKeys(dataDir);
  const told = { name: "shop", owner: "admin" };
  const description = describeOwner(keys, newId("sandbox"), orphanVmid, told);
  const wish = { newId: orphanVmid, hostname: "shop", description, pool };
  const upid = await client.containers.clone({ node: "pve1", vmid: 150 }, wish);
  const { error } = await client.tasks.wait(upid, { pollMs: 20 });
  if (error) throw error;
}
