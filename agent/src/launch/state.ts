import { readFileSync } from "node:fs";
import { join } from "node:path";

/** What is known of the updates in a container. The agent alone writes it, and the launcher goes by it. */
export interface UpdatesState {
  /** The version that has proved itself; none: that of the template. */
  readonly proven?: string;
  /** The version that is being tried out, until it has proved itself or failed. */
  readonly trying?: string;
  /** The version that did not work last. */
  readonly failed?: string;
}

/** The file in `guestPaths.updates`. */
export const stateFileName = "current.json";

/** Reads the state; what is missing or not valid says nothing. By hand, since a schema's code takes longer than the rest. */
export function readState(folder: string): UpdatesState {
  const content = parsed(folder);
  const versions: { -readonly [Name in keyof UpdatesState]: string } = {};
  for (const name of ["proven", "trying", "failed"] as const) {
    const value = typeof content === "object" && content !== null && name in content ? Reflect.get(content, name) : "";
    if (typeof value === "string" && isVersion(value)) versions[name] = value;
  }
  return versions;
}

/** As `programsVersionPattern` has it: never a path. */
function isVersion(text: string): boolean {
  return /^[0-9A-Za-z][0-9A-Za-z.+-]{0,63}$/.test(text);
}

function parsed(folder: string): unknown {
  try {
    return JSON.parse(readFileSync(join(folder, stateFileName), "utf8"));
  } catch {
    return undefined;
  }
}
