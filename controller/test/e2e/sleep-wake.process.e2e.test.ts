import { setTimeout as pause } from "node:timers/promises";
import {
  BerthError,
  createTerminal,
  listFiles,
  type Sandbox,
  stopSandbox,
  type Terminal,
  wakeSandbox,
} from "@berth/protocol";
import { eventually, launchBrowser } from "@berth/testkit";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Berth } from "./berth.ts";
import { ViewerSet } from "./sandbox-programs.ts";
import { SleepingBerth, sleepAfterMs } from "./sleeping-berth.ts";
import { type SshUser, sshUser } from "./ssh-user.ts";

const password = "correct horse battery staple";

describe("a sandbox that nobody uses", () => {
  let sleeping: SleepingBerth;
  let berth: Berth;
  let user: SshUser;
  let web: Sandbox;
  let claude: Terminal;
  const viewers = new ViewerSet();

  beforeAll(async () => {
    sleeping = await SleepingBerth.start();
    ({ berth } = sleeping);
    user = await sshUser(berth);
    web = await berth.readySandbox({ name: "web", env: sleeping.claudeEnvironment });
    claude = await berth.openTerminal(web.id, { kind: "claude", cols: 100, rows: 30 });
  });
  afterEach(() => viewers.closeAll());
  afterAll(async () => {
    await user?.dispose();
    await sleeping?.dispose();
  });

  it("sleeps, says so before, and is woken by calls that come at once, once", async () => {
    const viewer = await viewers.attach(berth, claude.id, { cols: 100, rows: 30 });
    await viewer.waitForText(/^\s*❯/m, 20_000);
    await sleeping.tell(claude, "say the first answer");
    await viewer.waitForText(/●\s+the first answer/, 20_000);
    await eventually(async () => (await sleeping.seen(web.id)).idle.uses.some(({ kind }) => kind === "viewer"));
    await viewer.close();
    await eventually(async () => (await sleeping.seen(web.id)).idle.sleepsAt ?? undefined, { timeoutMs: 10_000 });
    await sleeping.attention(claude, "idle");
    expect(await sleeping.seen(web.id)).toMatchObject({ attention: "idle", idle: { uses: [] } });
    await sleeping.inState(web.id, "asleep");
    expect(await sleeping.seen(web.id)).toMatchObject({ attention: null, agent: { connected: false }, error: null });

    const files = () => berth.client.call(listFiles, { params: { id: web.id }, query: { path: "" } });
    const [first, , second] = await Promise.all([sleeping.screen(claude), files(), sleeping.screen(claude)]);
    expect(first.epoch).toBe(2);
    expect(second.epoch).toBe(2);
    const again = await viewers.attach(berth, claude.id, { cols: 100, rows: 30 });
    await again.waitForText("the first answer", 20_000);
    await again.close();
  });

  it("is woken by somebody who attaches", async () => {
    await sleeping.inState(web.id, "asleep");
    const viewer = await viewers.attach(berth, claude.id, { cols: 100, rows: 30 });
    await viewer.waitForText("the first answer", 20_000);
    expect(await sleeping.seen(web.id)).toMatchObject({ state: "ready" });
    await viewer.close();
  });

  it("is woken by SSH, which stays as long as it is open", async () => {
    await sleeping.inState(web.id, "asleep");
    const begun = user.ssh("web", ["-o", "LogLevel=INFO", "--", `sleep ${(sleepAfterMs * 2) / 1_000}; echo done`]);
    await sleeping.inState(web.id, "ready");
    const { code, stdout, stderr } = await begun;
    expect({ code, stdout: stdout.toString() }).toEqual({ code: 0, stdout: "done\n" });
    expect(stderr).toContain("berth: web is asleep: waking it");
  });

  it("is woken by who opens it in the console, and not again when it is put to sleep there", async () => {
    const browser = await launchBrowser({ baseUrl: berth.url });
    try {
      const { page } = await browser.open("/");
      await page.getByLabel("Password").fill(password);
      await page.getByRole("button", { name: "Sign in" }).click();
      await sleeping.inState(web.id, "asleep");
      await page.goto("/sandboxes/web");
      await sleeping.inState(web.id, "ready");
      await page.getByText("Connected", { exact: true }).waitFor();
      // While it starts, nobody knows what it does.
      await eventually(async () => {
        const { attention: now, idle } = await sleeping.seen(web.id);
        return (now === "idle" && idle.uses.every(({ kind }) => kind === "viewer")) || undefined;
      });
      await page.getByRole("button", { name: "Actions for web" }).click();
      await page.getByRole("menuitem", { name: "Sleep" }).click();
      await page.getByRole("heading", { name: "This sandbox is asleep" }).waitFor();
      await pause(sleepAfterMs);
      expect(await sleeping.seen(web.id)).toMatchObject({ state: "asleep" });
      await page.getByRole("button", { name: "Wake web" }).click();
      await sleeping.inState(web.id, "ready");
    } finally {
      await browser.dispose();
    }
  });

  it("is not woken where somebody has stopped it", async () => {
    const { operation } = await berth.client.call(stopSandbox, { params: { id: web.id } });
    await berth.ended(operation.id);
    for (const use of [
      () => sleeping.screen(claude),
      () => berth.client.call(wakeSandbox, { params: { id: web.id } }),
      () => berth.client.call(createTerminal, { params: { id: web.id }, body: { kind: "shell" } }),
    ]) {
      const error = await use().then(
        () => undefined,
        (reason: unknown) => reason,
      );
      expect(error instanceof BerthError && error.code).toBe("sandbox_not_ready");
    }
    expect((await user.ssh("web", ["true"])).stderr).toContain("is stopped: start it first");
    expect(await sleeping.seen(web.id)).toMatchObject({ state: "stopped" });
  });
});
