import {
  attachShare,
  createShare,
  deleteShare,
  deleteTerminal,
  listShares,
  parseServerMessage,
  routeUrl,
  type Sandbox,
  type Share,
  startSandbox,
  stopSandbox,
  terminalInput,
  terminalScreen,
} from "@berth/protocol";
import { type BrowserDriver, type BrowserPage, eventually, launchBrowser } from "@berth/testkit";
import Type from "typebox";
import { Value } from "typebox/value";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { type Berth, startBerth } from "./berth.ts";
import { ViewerSet } from "./sandbox-programs.ts";

const password = "correct horse battery staple";

/** A guest's socket, which does what a page would not. */
class HostileGuest {
  readonly socket: WebSocket;
  readonly texts: string[] = [];
  bytes = Buffer.alloc(0);
  closed: number | undefined;
  /** Where the output that it has ends. */
  offset = 0;
  #snapshotDue = false;

  constructor(berth: Berth, share: { id: string; token: string }) {
    const url = new URL(routeUrl(attachShare, { params: { id: share.id } }), berth.url);
    url.protocol = "ws:";
    this.socket = new WebSocket(url, { headers: { authorization: `Bearer ${share.token}` } });
    this.socket.on("message", (data: Buffer, isBinary) => {
      if (isBinary) this.#output(data);
      else this.#message(data.toString());
    });
    this.socket.on("error", () => {});
    this.socket.on("close", (code) => {
      this.closed = code;
    });
  }

  #output(data: Buffer): void {
    this.bytes = Buffer.concat([this.bytes, data]);
    if (!this.#snapshotDue) this.offset += data.length;
    this.#snapshotDue = false;
  }

  #message(text: string): void {
    this.texts.push(text);
    const message = parseServerMessage(text);
    if (message?.type !== "attached" && message?.type !== "resync") return;
    this.offset = message.offset;
    this.#snapshotDue = true;
  }

  async attached(): Promise<void> {
    await eventually(() => this.texts.length > 0, { what: "attached" });
  }

  async cut(): Promise<number> {
    await eventually(() => this.closed !== undefined, { what: "the guest's close" });
    return this.closed ?? 0;
  }
}

/** Moves a finger to the left over the middle of a page, until a condition holds. */
async function swipeUntil({ page }: BrowserPage, isEnough: () => Promise<boolean>): Promise<void> {
  const hand = await page.context().newCDPSession(page);
  const touch = (type: "touchStart" | "touchMove" | "touchEnd", x?: number) =>
    hand.send("Input.dispatchTouchEvent", { type, touchPoints: x === undefined ? [] : [{ x, y: 300 }] });
  const swipe = async () => {
    await touch("touchStart", 350);
    for (let x = 340; x > 50; x -= 10) await touch("touchMove", x);
    await touch("touchEnd");
    return isEnough();
  };
  await eventually(swipe, { what: "what the finger was to bring" });
}

describe("a shared terminal", () => {
  let berth: Berth;
  let browser: BrowserDriver;
  let sandbox: Sandbox;
  let id: string;
  const viewers = new ViewerSet();

  beforeAll(async () => {
    berth = await startBerth();
    sandbox = await berth.readySandbox({ name: "shared" });
    browser = await launchBrowser({ baseUrl: berth.url });
    const script =
      "stty -echo; printf '\\033]0;the deployment\\007'; echo 'watch me'; while read -r x; do echo \"got $x\"; stty size; done";
    id = (await berth.openTerminal(sandbox.id, { kind: "exec", argv: ["bash", "-c", script], cols: 100, rows: 24 })).id;
    await screen("text:watch me");
  });
  afterAll(async () => {
    await viewers.closeAll();
    await browser?.dispose();
    await berth?.dispose();
  });

  const screen = (waitFor: string) => berth.client.call(terminalScreen, { params: { id }, query: { waitFor } });
  const type = (text: string) =>
    berth.client.call(terminalInput, { params: { id }, body: { text, submit: true }, query: { waitFor: "idle:100" } });
  const share = async (body: { expiresInSeconds?: number; name?: string } = {}) => {
    const made = await berth.client.call(createShare, { params: { id }, body });
    return { ...made, token: made.url.split("#")[1] ?? "" };
  };
  const revoke = (shareId: string) => berth.client.call(deleteShare, { params: { id, shareId } });
  const shares = async (): Promise<Share[]> => (await berth.client.call(listShares, { params: { id } })).items;

  it("is seen by a guest, who can neither type nor give it a size", async () => {
    const made = await share();
    const guest = new HostileGuest(berth, made);
    await guest.attached();
    guest.socket.send(JSON.stringify({ type: "resize", cols: 20, rows: 5 }));
    guest.socket.send(JSON.stringify({ type: "ack", offset: 0 }));
    await type("one");
    await eventually(() => guest.bytes.includes("got one"));
    const shown = await screen("text:24 100");
    expect([shown.cols, shown.rows]).toEqual([100, 24]);
    guest.socket.send(Buffer.from("two\r"));
    expect(await guest.cut()).toBe(1008);
    expect(guest.texts.at(-1)).toContain("forbidden");
    await type("three");
    const after = await screen("text:got three");
    expect(after.text).not.toContain("two");
    expect((await shares())[0]?.lastUsedAt).not.toBeNull();
    await revoke(made.id);
  });

  it("costs a guest its connection, and nobody else, to send nonsense or to acknowledge what was not sent", async () => {
    const [made, owner] = [await share(), await viewers.attach(berth, id)];
    for (const text of ["{}", "nonsense", '{"type":"ack","offset":9007199254740991}', '{"type":"input"}']) {
      const guest = new HostileGuest(berth, made);
      await guest.attached();
      guest.socket.send(text);
      expect(await guest.cut(), text).toBe(1008);
    }
    owner.write("still mine\r");
    await owner.waitForText("got still mine");
    expect(owner.closes).toEqual([]);
    await revoke(made.id);
  });

  it("is not slowed by a guest who reads nothing, and shows that guest the screen once it reads again", async () => {
    const script =
      "read -r x; head -c 30000000 /dev/zero | tr '\\0' x; echo; echo FLOODED; read -r x; echo awake; read -r x";
    const flood = (await berth.openTerminal(sandbox.id, { kind: "exec", argv: ["bash", "-c", script] })).id;
    const params = { id: flood };
    const made = await berth.client.call(createShare, { params, body: {} });
    const guest = new HostileGuest(berth, { id: made.id, token: made.url.split("#")[1] ?? "" });
    await guest.attached();
    guest.socket.send(JSON.stringify({ type: "ack", offset: 0 }));
    guest.socket.pause();
    const query = { waitFor: "text:FLOODED", timeoutMs: 60_000 };
    const flooded = await berth.client.call(terminalInput, { params, body: { submit: true }, query });
    expect(flooded).toMatchObject({ matched: true });
    guest.socket.resume();
    guest.socket.send(JSON.stringify({ type: "ack", offset: guest.offset }));
    await berth.client.call(terminalInput, { params, body: { submit: true } });
    await eventually(
      () => {
        guest.socket.send(JSON.stringify({ type: "ack", offset: guest.offset }));
        return guest.bytes.includes("awake");
      },
      { what: "the screen at the guest", intervalMs: 50 },
    );
    expect(guest.bytes.length).toBeLessThan(10_000_000);
    await berth.client.call(deleteTerminal, { params });
    expect(await guest.cut()).toBe(1008);
  });

  it("is cut off from its guests when the share ends, and from nobody else", async () => {
    const [one, other] = [await share(), await share({ expiresInSeconds: 3600 })];
    const [first, second, owner] = [
      new HostileGuest(berth, one),
      new HostileGuest(berth, other),
      await viewers.attach(berth, id),
    ];
    await Promise.all([first.attached(), second.attached()]);
    await revoke(one.id);
    expect(await first.cut()).toBe(1008);
    expect(first.texts.at(-1)).toContain("share_revoked");
    await type("after");
    await eventually(() => second.bytes.includes("got after"));
    expect(first.bytes.includes("got after")).toBe(false);
    expect(owner.closes).toEqual([]);
    const late = new HostileGuest(berth, one);
    expect(await late.cut()).toBe(1006);
    await revoke(other.id);
  });

  it("outlives a controller that was killed", async () => {
    const made = await share();
    await berth.crash();
    await berth.start();
    await eventually(async () => {
      const guest = new HostileGuest(berth, made);
      await eventually(() => guest.texts.length > 0 || guest.closed !== undefined);
      guest.socket.terminate();
      return guest.texts[0]?.includes('"attached"');
    });
    await revoke(made.id);
  });

  describe("in a browser", () => {
    let page: BrowserPage;
    let guest: BrowserPage;
    let url: string;

    /** The only terminal that is mounted on a page. */
    const terminalOn = (on: BrowserPage) =>
      eventually(
        async () => {
          const ids: unknown = await on.page.evaluate("window.__berth?.terminals() ?? []");
          return Array.isArray(ids) && typeof ids[0] === "string" ? ids[0] : undefined;
        },
        { timeoutMs: 20_000, what: "a terminal on the page" },
      );

    it("is shared by a dialog, whose link opens it for somebody without an account", async () => {
      page = await browser.open(`/sandboxes/shared/${id}`);
      await page.page.getByLabel("Password").fill(password);
      await page.page.keyboard.press("Enter");
      await page.waitForScreenText(await terminalOn(page), "watch me", 20_000);
      await page.page.getByRole("button", { name: /Actions for the terminal/ }).click();
      await page.page.getByRole("menuitem", { name: "Share…" }).click();
      await page.page.getByLabel("For (optional)").fill("the team");
      await page.page.getByLabel("Expires after").selectOption({ label: "8 hours" });
      await page.page.getByRole("button", { name: "Make a link" }).click();
      url = (await page.page.locator(".secret").textContent()) ?? "";
      expect(url).toMatch(/\/share#brs_[\w-]{43}$/);
      await page.screenshot("share-dialog");
      guest = await browser.open(url);
      await guest.waitForScreenText(await terminalOn(guest), "watch me", 20_000);
      await guest.page.getByText(/shared by admin, expires in 7 h 5\d min/).waitFor();
      await guest.page.getByText("Read-only").waitFor();
      await guest.screenshot("shared-desktop");
    });

    it("follows it, and takes no key", async () => {
      const terminal = await terminalOn(guest);
      await guest.page.locator(".terminal-host").click();
      await guest.page.keyboard.type("typed by a guest");
      await guest.page.keyboard.press("Enter");
      await type("by its owner");
      const text = await guest.waitForScreenText(terminal, "got by its owner");
      expect(text).not.toContain("typed by a guest");
      expect(await guest.page.evaluate(`window.__berth.size(${JSON.stringify(terminal)}).cols`)).toBe(
        (await screen("text:by its owner")).cols,
      );
      await guest.page.reload();
      await guest.waitForScreenText(await terminalOn(guest), "got by its owner", 20_000);
    });

    it("can be read on a phone, where a finger brings the rest of a long line", async () => {
      const place = guest.page.locator(".terminal-host");
      const look = async () => {
        const text = await place.locator(".xterm-screen").boundingBox();
        // As text, since this side is not compiled with the browser's types.
        const scroll: unknown = await guest.page.evaluate(
          "(({ scrollWidth, clientWidth, scrollLeft }) => [scrollWidth - clientWidth, scrollLeft])(document.querySelector('.terminal-host'))",
        );
        const [hidden = 0, left = 0] = Value.Parse(Type.Array(Type.Number()), scroll);
        return { text: text?.width ?? 0, hidden, left };
      };
      expect(await look()).toMatchObject({ left: 0 });
      const { cols } = await screen("text:by its owner");
      await guest.page.setViewportSize({ width: 390, height: 844 });
      await guest.page.locator(".terminal-host[data-scrolls]").waitFor();
      const { text, hidden } = await look();
      // Letters of ten pixels are about six wide.
      expect(Math.round(text / cols)).toBe(6);
      expect(hidden).toBeGreaterThan(100);
      await guest.screenshot("shared-phone");
      await swipeUntil(guest, async () => (await look()).left >= hidden - 1);
      await guest.screenshot("shared-phone-panned");
      await guest.page.setViewportSize({ width: 1280, height: 800 });
      await guest.page.locator(".terminal-host:not([data-scrolls])").waitFor();
      expect(await look()).toMatchObject({ left: 0 });
    });

    it("says that its sandbox does not run, and shows it again when it does", async () => {
      const { operation } = await berth.client.call(stopSandbox, { params: { id: sandbox.id } });
      await berth.ended(operation.id);
      await guest.page.getByText("The sandbox does not run now.").waitFor({ timeout: 20_000 });
      await guest.screenshot("shared-stopped");
      const started = await berth.client.call(startSandbox, { params: { id: sandbox.id } });
      await berth.ended(started.operation.id);
      await guest.page.getByText("The terminal’s program has ended.").waitFor({ timeout: 30_000 });
      await guest.screenshot("shared-ended");
    });

    it("says that it was withdrawn, at once, and after a reload, too", async () => {
      await page.page.getByRole("button", { name: /Actions for the terminal/ }).click();
      await page.page.getByRole("menuitem", { name: "Share…" }).click();
      await page.page.getByText(/expires in 7 h 5\d min · last used/).waitFor();
      await page.page.getByRole("button", { name: "Revoke the team" }).click();
      await guest.page.getByRole("heading", { name: "This link was withdrawn" }).waitFor({ timeout: 12_000 });
      await guest.page.reload();
      await guest.page.getByRole("heading", { name: "This link was withdrawn" }).waitFor();
      await guest.screenshot("shared-withdrawn");
      await guest.page.goto(`${berth.url}/share#brs_wrongwrongwrongwrong`);
      await guest.page.reload();
      await guest.page.getByRole("heading", { name: "This link leads to nothing" }).waitFor();
      const unexpected = guest.errors.filter((error) => !/Failed to load resource|WebSocket/.test(error));
      expect(unexpected).toEqual([]);
    });
  });
});
