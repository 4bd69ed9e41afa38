import { createHash, randomBytes } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { request } from "node:http";
import { join } from "node:path";
import { apiPrefix, dropFile, type Sandbox, type Terminal, terminalInput, terminalScreen } from "@berth/protocol";
import {
  attachTerminal,
  type BrowserDriver,
  type BrowserPage,
  eventually,
  launchBrowser,
  type MessagesStub,
  startMessagesStub,
} from "@berth/testkit";
import { Value } from "typebox/value";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Berth, startBerth } from "./berth.ts";

const password = "correct horse battery staple";
const mebibyte = 1024 * 1024;
/** A picture of one dot. */
const dot = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);
const hash = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

describe("a file that is dropped on a terminal", () => {
  let berth: Berth;
  let stub: MessagesStub;
  let browser: BrowserDriver | undefined;
  let sandbox: Sandbox;
  let shell: Terminal;
  let dropped: string;

  beforeAll(async () => {
    stub = await startMessagesStub();
    const { ANTHROPIC_BASE_URL = "", ANTHROPIC_AUTH_TOKEN = "" } = stub.environment;
    berth = await startBerth({ env: { ANTHROPIC_BASE_URL, ANTHROPIC_AUTH_TOKEN } });
    sandbox = await berth.readySandbox({ name: "drops" });
    dropped = join(await berth.rootOf(sandbox), "workspace/.berth/dropped");
    shell = await berth.openTerminal(sandbox.id, { kind: "shell", cols: 300 });
    await shows(shell.id, /[$#] *$/);
  });
  afterAll(async () => {
    await browser?.dispose();
    await berth?.dispose();
    await stub?.dispose();
  });

  const screenOf = async (id: string) => (await berth.client.call(terminalScreen, { params: { id } })).text;
  const shows = (id: string, wanted: string | RegExp) =>
    eventually(
      async () => {
        const text = await screenOf(id);
        const found = typeof wanted === "string" ? text.includes(wanted) : wanted.test(text);
        if (!found) throw new Error(text);
        return { text };
      },
      { timeoutMs: 20_000, what: `${wanted} on the screen` },
    );
  const post = async (terminalId: string, query: Record<string, string>, body: Uint8Array) => {
    const address = `${berth.url}${apiPrefix}/terminals/${terminalId}/files?${new URLSearchParams(query)}`;
    const headers = { authorization: `Bearer ${berth.token}`, "content-type": "application/octet-stream" };
    const init = { method: "POST", headers, body };
    const response = await fetch(address, init as RequestInit);
    return { status: response.status, json: (await response.json()) as Record<string, unknown> };
  };
  const drop = async (terminalId: string, query: Record<string, string>, bytes: Uint8Array) => {
    const { status, json } = await post(terminalId, query, bytes);
    expect({ status, json }).toMatchObject({ status: 201 });
    return Value.Parse(dropFile.result, json);
  };
  const enter = (id: string, text: string) =>
    berth.client.call(terminalInput, { params: { id }, body: { text, submit: true } });

  it("is in the sandbox, and its path is typed as one word of the command line", async () => {
    const name = "it's a “dot” & $HOME (1).png";
    await berth.client.call(terminalInput, { params: { id: shell.id }, body: { text: "sha256sum " } });
    const { path, bytes, typed } = await drop(shell.id, { name, type: "true" }, dot);
    expect({ path, bytes, typed }).toEqual({
      path: berth.pathInside(sandbox, join("workspace/.berth/dropped", name)),
      bytes: dot.byteLength,
      typed: true,
    });
    await enter(shell.id, "");
    await shows(shell.id, hash(dot));
    expect((await readFile(join(dropped, name))).equals(dot)).toBe(true);
  });

  it("is only put there where no typing is asked for, and never replaces another", async () => {
    const before = await screenOf(shell.id);
    expect((await drop(shell.id, { name: "a.txt" }, Buffer.from("1"))).typed).toBe(false);
    expect((await drop(shell.id, { name: "a.txt" }, Buffer.from("2"))).path).toMatch(/\/a-2\.txt$/);
    expect(await screenOf(shell.id)).toBe(before);
  });

  it("is an image to Claude, and a path where it is something else", async () => {
    const claude = await berth.openTerminal(sandbox.id, { kind: "claude", cols: 160, rows: 40 });
    await shows(claude.id, "❯");
    await drop(claude.id, { name: "a dot.png", type: "true" }, dot);
    await shows(claude.id, "[Image #1]");
    await drop(claude.id, { name: "some notes.md", type: "true" }, Buffer.from("# notes"));
    await shows(claude.id, "notes.md");
    await enter(claude.id, "what is it?");
    await shows(claude.id, /You said: *\[Image #1\] .*notes\.md what is it\?/);
    expect(JSON.stringify(stub.requests.map(({ body }) => body))).toContain("image/png");
  });

  it("of 20 MiB comes beside a terminal that echoes, and neither the echo nor the controller's memory suffers", async () => {
    const echo = await berth.openTerminal(sandbox.id, { kind: "exec", argv: ["sh", "-c", "stty raw -echo; cat"] });
    const viewer = await attachTerminal({ url: berth.url, token: berth.token, terminalId: echo.id });
    try {
      await drop(shell.id, { name: "before.bin" }, randomBytes(20 * mebibyte));
      const large = randomBytes(20 * mebibyte);
      const rssBefore = await controllerBytes();
      let done = false;
      const sent = drop(shell.id, { name: "large.bin" }, large).finally(() => {
        done = true;
      });
      const echoesMs: number[] = [];
      let rss = rssBefore;
      for (let key = 0; !done || key < 20; key += 1) {
        const word = `<${key}>`;
        const begun = performance.now();
        viewer.write(word);
        await viewer.waitForBytes(word);
        echoesMs.push(performance.now() - begun);
        rss = Math.max(rss, await controllerBytes());
      }
      const { path } = await sent;
      expect(path).toMatch(/\/large\.bin$/);
      expect(hash(await readFile(join(dropped, "large.bin")))).toBe(hash(large));
      expect(Math.max(...echoesMs), "the slowest echo, on a machine that does other things too").toBeLessThan(2_000);
      expect(rss - rssBefore, "less than the file").toBeLessThan(large.byteLength);
    } finally {
      await viewer.close();
    }
  });

  it("that is cut in the middle leaves nothing", async () => {
    const before = await readdir(dropped);
    const address = `${berth.url}${apiPrefix}/terminals/${shell.id}/files?name=cut.bin`;
    const headers = { authorization: `Bearer ${berth.token}`, "content-length": 10 * mebibyte };
    const upload = request(address, { method: "POST", headers });
    upload.on("error", () => {});
    upload.write(randomBytes(mebibyte));
    await eventually(async () => (await readdir(dropped)).some((name) => name.endsWith(".part")));
    upload.destroy();
    await eventually(async () => (await readdir(dropped)).length === before.length);
    expect((await readdir(dropped)).sort()).toEqual(before.sort());
  });

  it("is refused where there is no such terminal, where it has ended, and where it is too large", async () => {
    expect(await post("trm_00000000000000000000", { name: "a" }, dot)).toMatchObject({ status: 404 });
    const over = await berth.openTerminal(sandbox.id, { kind: "exec", argv: ["true"] });
    await eventually(async () => (await post(over.id, { name: "late", type: "true" }, dot)).status === 409);
    expect(await post(shell.id, { name: "x" }, new Uint8Array(64 * mebibyte + 1))).toMatchObject({ status: 413 });
    expect(await readdir(dropped)).not.toContain("x");
  });

  describe("in the console", () => {
    let page: BrowserPage;

    beforeAll(async () => {
      await enter(shell.id, "clear; cd /");
      browser = await launchBrowser({ baseUrl: berth.url });
      page = await browser.open(`/sandboxes/drops/${shell.id}`);
      await page.page.getByLabel("Password").fill(password);
      await page.page.getByRole("button", { name: "Sign in" }).click();
      await page.waitForScreenText(shell.id, /[$#] /, 20_000);
    });

    it("is typed by its path, and is the same bytes", async () => {
      const picture = Buffer.concat([dot, randomBytes(100_000)]);
      await page.page.evaluate(dispatchDrop("dragenter", { "from browser.png": picture }));
      await page.page.getByText("Drop to put it into the sandbox.").waitFor();
      await page.screenshot("drop-hint");
      await page.page.evaluate(dispatchDrop("drop", { "from browser.png": picture }));
      await page.waitForScreenText(shell.id, "from\\ browser.png");
      expect(hash(await readFile(join(dropped, "from browser.png")))).toBe(hash(picture));
      await page.screenshot("dropped");
    });
  });

  /** The controller's resident memory, in bytes. */
  async function controllerBytes(): Promise<number> {
    const status = await readFile(`/proc/${berth.process.pid}/status`, "utf8");
    return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) * 1024;
  }
});

/** A program for the page that drags files over its terminal, or drops them there. */
function dispatchDrop(event: "dragenter" | "drop", files: Record<string, Buffer>): string {
  const offered = Object.entries(files).map(([name, bytes]) => [name, bytes.toString("base64")]);
  return `(() => {
    const transfer = new DataTransfer();
    for (const [name, base64] of ${JSON.stringify(offered)}) {
      const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
      transfer.items.add(new File([bytes], name, { type: "image/png" }));
    }
    const init = { dataTransfer: transfer, bubbles: true, cancelable: true };
    document.querySelector(".terminal-host").dispatchEvent(new DragEvent(${JSON.stringify(event)}, init));
  })()`;
}
