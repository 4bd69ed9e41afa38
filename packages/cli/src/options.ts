import type { Command } from "commander";
import { wrongUsage } from "./failure.ts";

function option(command: Command, name: string): unknown {
  for (let at: Command | null = command; at; at = at.parent) {
    const value: unknown = at.getOptionValue(name);
    if (value !== undefined) return value;
  }
  return undefined;
}

/** The text of an option, of the command or of one above it. */
export function textOption(command: Command, name: string): string | undefined {
  const value = option(command, name);
  return typeof value === "string" ? value : undefined;
}

/** Texts of an option that may be given several times. */
export function textsOption(command: Command, name: string): readonly string[] {
  const value = option(command, name);
  return Array.isArray(value) ? value.filter((one) => typeof one === "string") : [];
}

/** Whether a flag is set; a `--no-…` flag is set until it is given. */
export function flag(command: Command, name: string): boolean {
  return option(command, name) === true;
}

/** A whole number. */
export function countOption(command: Command, name: string): number | undefined {
  const text = textOption(command, name);
  if (text === undefined) return undefined;
  if (!/^\d{1,15}$/.test(text)) throw wrongUsage(`--${name} needs a whole number, not "${text}".`);
  return Number(text);
}

/** An argument that the command line must have: commander has seen to that. */
export function argument(command: Command, index: number): string {
  const value = command.args[index];
  if (value === undefined) throw wrongUsage(`${command.name()} needs another argument.`);
  return value;
}
