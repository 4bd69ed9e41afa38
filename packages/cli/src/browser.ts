import { spawn } from "node:child_process";
import { platform } from "node:process";
import type { Environment } from "./environment.ts";

const openers: Partial<Record<NodeJS.Platform, string>> = { linux: "xdg-open", darwin: "open" };

/** Opens an address in the user's browser; false where there is none. */
export async function openInBrowser({ hasBrowser, browser }: Environment, url: string): Promise<boolean> {
  const opener = browser ?? openers[platform];
  if (opener === undefined || !(hasBrowser || browser !== undefined)) return false;
  const child = spawn(opener, [url], { stdio: "ignore", detached: true });
  return new Promise((resolve) => {
    child.once("error", () => resolve(false));
    child.once("spawn", () => {
      child.unref();
      resolve(true);
    });
  });
}
