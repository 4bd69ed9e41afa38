import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { rgPath } from "@vscode/ripgrep";
import { Workspace } from "../../src/agent/workspace/workspace.ts";
import { createLog } from "../../src/log.ts";
import { loopback } from "./loopback.ts";
import { temporaryRoot } from "./pty-host.ts";

/** A workspace that is served over a link in this process. Dispose it. */
export interface ServedWorkspace {
  path: string;
  /** The folder around it: what must not be reached. */
  outside: string;
  link: ReturnType<typeof loopback>;
  /** The environment of git and ripgrep. */
  environment: Record<string, string>;
  dispose(): void;
}

export function serveWorkspace(): ServedWorkspace {
  const root = temporaryRoot();
  const path = join(root.path, "workspace");
  mkdirSync(path);
  mkdirSync(join(root.path, "home"));
  // ripgrep as the template has it.
  const environment = { HOME: join(root.path, "home"), PATH: `${dirname(rgPath)}:/usr/bin:/bin`, LC_ALL: "C.UTF-8" };
  const log = createLog("test", (line) => process.stderr.write(line));
  const served = new Workspace({ path, environment: () => environment, log });
  const link = loopback((channel, _kind, params) => served.open(channel, params));
  const dispose = () => {
    link.close();
    root.remove();
  };
  return { path, outside: root.path, link, environment, dispose };
}
