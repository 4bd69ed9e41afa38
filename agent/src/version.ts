import { readFileSync } from "node:fs";
import { isErrno } from "@berth/base/node";
import manifest from "../package.json" with { type: "json" };

let read: string | undefined;

/** The version of these programs, told in `hello`: that of their build, or the package's where nothing was built. */
export function agentVersion(): string {
  read ??= readVersion();
  return read;
}

/** The build writes it beside its bundles. */
function readVersion(): string {
  try {
    return readFileSync(new URL("./version", import.meta.url), "utf8").trim();
  } catch (error) {
    if (isErrno(error, "ENOENT")) return manifest.version;
    throw error;
  }
}
