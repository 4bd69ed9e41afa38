import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";
import { eventually } from "./eventually.ts";

/** A root user's Chromium has no sandbox; the rest keeps it from the network. */
const flags = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
];

export interface BrowserOptions {
  /** Chromium's path; `/usr/bin/chromium` by default. */
  readonly executable?: string;
  /** Where relative addresses of pages begin, such as the controller's address. */
  readonly baseUrl?: string;
  /** Folder of the screenshots; `test-results` in the current one by default. */
  readonly screenshots?: string;
  readonly width?: number;
  readonly height?: number;
}

/** A page of the console in a profile of its own. */
export class BrowserPage {
  /** The page itself, for whatever is not here. */
  readonly page: Page;
  /** Uncaught errors and error messages of the page's console, in their order. */
  readonly errors: string[] = [];
  readonly #screenshots: string;

  constructor(page: Page, screenshots: string) {
    this.page = page;
    this.#screenshots = screenshots;
    page.on("pageerror", (error) => this.errors.push(String(error)));
    page.on("console", (message) => {
      if (message.type() === "error") this.errors.push(message.text());
    });
  }

  /** Writes `<name>.png` and answers its path. */
  async screenshot(name: string): Promise<string> {
    await mkdir(this.#screenshots, { recursive: true });
    const path = join(this.#screenshots, `${name}.png`);
    await this.page.screenshot({ path });
    return path;
  }

  /**
   * The text on a terminal's screen, by the console's hook `window.__berth.screenText(terminalId)`; undefined while the
   * page has no such terminal.
   */
  async screenText(terminalId: string): Promise<string | undefined> {
    // As text, since this side is not compiled with the browser's types.
    const text: unknown = await this.page.evaluate(`window.__berth?.screenText(${JSON.stringify(terminalId)})`);
    return typeof text === "string" ? text : undefined;
  }

  /** Waits until a terminal shows a text, 10 s by default; throws with its screen. */
  async waitForScreenText(terminalId: string, wanted: string | RegExp, timeoutMs = 10_000): Promise<string> {
    let last: string | undefined;
    const look = async () => {
      last = await this.screenText(terminalId);
      if (last === undefined) return undefined;
      return (typeof wanted === "string" ? last.includes(wanted) : wanted.test(last)) ? { text: last } : undefined;
    };
    const found = await eventually(look, { timeoutMs, intervalMs: 50 }).catch(() => undefined);
    if (found) return found.text;
    throw new Error(`the terminal did not show ${String(wanted)} within ${timeoutMs} ms:\n${last ?? "(no terminal)"}`);
  }
}

/** A Chromium with nobody in front. */
export class BrowserDriver {
  readonly #browser: Browser;
  readonly #options: BrowserOptions;

  constructor(browser: Browser, options: BrowserOptions) {
    this.#browser = browser;
    this.#options = options;
  }

  /** Opens a page in a fresh profile: no cookies, no storage. */
  async open(url?: string): Promise<BrowserPage> {
    const { baseUrl, width = 1280, height = 800, screenshots = "test-results" } = this.#options;
    const profile = await this.#browser.newContext({
      viewport: { width, height },
      ...(baseUrl === undefined ? {} : { baseURL: baseUrl }),
    });
    const page = new BrowserPage(await profile.newPage(), screenshots);
    if (url !== undefined) await page.page.goto(url);
    return page;
  }

  /** Opens another tab beside a page, in the same profile. */
  async openBeside(other: BrowserPage, url: string): Promise<BrowserPage> {
    const page = new BrowserPage(await other.page.context().newPage(), this.#options.screenshots ?? "test-results");
    await page.page.goto(url);
    return page;
  }

  async dispose(): Promise<void> {
    await this.#browser.close();
  }
}

/** Starts Chromium. */
export async function launchBrowser(options: BrowserOptions = {}): Promise<BrowserDriver> {
  const executablePath = options.executable ?? process.env.CHROMIUM ?? "/usr/bin/chromium";
  return new BrowserDriver(await chromium.launch({ executablePath, args: flags, headless: true }), options);
}
