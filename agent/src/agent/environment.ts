import { userInfo } from "node:os";
import { join } from "node:path";
import type { Environment } from "@berth/protocol";
import type { Root } from "../root.ts";
import { terminalVariable } from "./attention/sessions.ts";

export interface EnvironmentSources {
  root: Root;
  sandboxName: string;
  terminalId: string;
  /** Of the sandbox: the Claude credential, and what the owner set. */
  sandbox: Environment;
  /** Of this terminal alone. */
  terminal: Environment;
}

/** The environment of a terminal's program. It begins clean: nothing of the agent's own environment goes in. */
export function terminalEnvironment(sources: EnvironmentSources): Environment {
  const { root, sandboxName, terminalId, sandbox, terminal } = sources;
  const user = userInfo();
  return {
    HOME: root.home,
    USER: user.username,
    LOGNAME: user.username,
    SHELL: loginShell(),
    PATH: searchPath(root),
    LANG: "C.UTF-8",
    TERM: "xterm-256color",
    COLORTERM: "truecolor",
    BERTH_SANDBOX: sandboxName,
    // The version is the template's; an update would fetch hundreds of megabytes into each sandbox.
    DISABLE_AUTOUPDATER: "1",
    ...sandbox,
    ...terminal,
    [terminalVariable]: terminalId,
  };
}

/** The shell of the user that the agent runs as. */
export function loginShell(): string {
  const { shell } = userInfo();
  return shell && !/\/(?:nologin|false)$/.test(shell) ? shell : "/bin/bash";
}

/** Who commits, as the sandbox's owner may have set it. */
const whoCommits = /^GIT_(?:AUTHOR|COMMITTER)_(?:NAME|EMAIL)$/;

/** The environment of the programs by which people look at a workspace: no secret of the sandbox's goes in. */
export function reviewEnvironment(root: Root, sandbox: Environment): Record<string, string> {
  const who = Object.entries(sandbox).filter(([name]) => whoCommits.test(name));
  return { HOME: root.home, PATH: searchPath(root), LC_ALL: "C.UTF-8", ...Object.fromEntries(who) };
}

function searchPath(root: Root): string {
  const system = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  const own = join(root.home, ".local/bin");
  return root.isFolder ? `${join(root.path, "usr/bin")}:${own}:${system}` : `${own}:${system}`;
}
