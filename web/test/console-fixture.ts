import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { build } from "vite";
import { afterAll, afterEach, beforeAll, beforeEach, expect } from "vitest";
import { credentials, FakeController } from "./fake-controller.ts";

const flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"];

/** The built console in a browser, at a controller of its own for each test. */
export class ConsoleFixture {
  #dist = "";
  #browser: Browser | undefined;
  #context: BrowserContext | undefined;
  #controller: FakeController | undefined;
  #page: Page | undefined;
  /** What the page complained of: errors that nobody caught, and breaches of its content security policy. */
  readonly #complaints: string[] = [];

  get controller(): FakeController {
    return present(this.#controller);
  }

  get page(): Page {
    return present(this.#page);
  }

  async build(): Promise<void> {
    this.#dist = await mkdtemp(join(tmpdir(), "berth-web-"));
    const root = join(import.meta.dirname, "..");
    await build({ root, logLevel: "error", build: { outDir: this.#dist, emptyOutDir: true } });
    this.#browser = await chromium.launch({
      executablePath: process.env.BERTH_CHROMIUM ?? "/usr/bin/chromium",
      args: [...flags, "--disable-sync", "--no-first-run"],
    });
  }

  async remove(): Promise<void> {
    await this.#browser?.close();
    await rm(this.#dist, { recursive: true, force: true });
  }

  async open(): Promise<void> {
    this.#controller = new FakeController(this.#dist);
    await this.#controller.listen();
    this.#context = await present(this.#browser).newContext({ viewport: { width: 1280, height: 800 } });
    const page = await this.#context.newPage();
    page.on("pageerror", (error) => this.#complaints.push(error.message));
    page.on("console", (message) => {
      // TypeBox tries whether it may make functions of text, and does without; the policy says no.
      if (/Content Security Policy/.test(message.text()) && !/unsafe-eval/.test(message.text())) {
        this.#complaints.push(message.text());
      }
    });
    this.#page = page;
  }

  async close(): Promise<void> {
    await this.#context?.close();
    await this.#controller?.close();
    expect(this.#complaints.splice(0)).toEqual([]);
  }

  async signIn(path = "/"): Promise<void> {
    await this.page.goto(`${this.controller.url}${path}`);
    await this.page.getByLabel("Password").fill(credentials.password);
    await this.page.getByRole("button", { name: "Sign in" }).click();
  }

  /** Takes a screenshot into the folder that BERTH_SHOTS names, if it does. */
  async shot(name: string): Promise<void> {
    const folder = process.env.BERTH_SHOTS;
    if (folder) await this.page.screenshot({ path: join(folder, `${name}.png`) });
  }
}

/** A fixture for all tests of a file. */
export function testedConsole(): ConsoleFixture {
  const fixture = new ConsoleFixture();
  beforeAll(() => fixture.build());
  afterAll(() => fixture.remove());
  beforeEach(() => fixture.open());
  afterEach(() => fixture.close());
  return fixture;
}

export const soon = { timeout: 10_000 };

function present<T>(part: T | undefined): T {
  if (part === undefined) throw new Error("the console is not open");
  return part;
}
