import { Option } from "commander";
import { wrongUsage } from "../failure.ts";

/** Minutes in each unit; none means minutes. */
const unitMinutes: Readonly<Record<string, number>> = { "": 1, m: 1, h: 60, d: 1440 };

/** `--sleep-after`, of commands that make and change sandboxes. */
export function sleepAfterOption(): Option {
  return new Option(
    "--sleep-after <time>",
    "when it sleeps if nothing uses it: 30m, 2h, never, or default: the fleet's",
  );
}

/** A time as the controller takes it: minutes, `off` for never, null for the fleet's. */
export function sleepAfterOf(text: string): number | "off" | null {
  const word = text.toLowerCase();
  if (word === "never") return "off";
  if (word === "default") return null;
  const [, digits, unit] = /^(\d{1,6})([mhd]?)$/.exec(word) ?? [];
  if (digits === undefined || Number(digits) === 0) {
    throw wrongUsage(`--sleep-after needs a time such as 30m or 2h, never or default, not "${text}".`);
  }
  return Number(digits) * (unitMinutes[unit ?? ""] ?? 1);
}

/** When a sandbox sleeps, in words. */
export function sleepAfterText(minutes: number | "off" | null): string {
  if (minutes === "off") return "never sleeps";
  if (minutes === null) return "";
  return minutes % 60 === 0 ? `sleeps after ${minutes / 60} h` : `sleeps after ${minutes} min`;
}
