import { chmod, mkdir } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { writeFileAtomic } from "@berth/base/node";
import type { GitCredential } from "@berth/protocol";
import { allowedPath, type Remote, type RepositoryRoots } from "./remote-url.ts";
import { shellWord } from "./shell-word.ts";

/** What git needs to use a remote. */
export interface RemoteAccess {
  readonly url: string;
  readonly env: Readonly<Record<string, string>>;
  /** Options of `git push` for it. */
  readonly pushOptions: readonly string[];
}

export interface RemoteAccessOptions {
  /** For files that are made here. */
  readonly folder: string;
  readonly roots: RepositoryRoots;
  /** A private key for SSH remotes; undefined: the keys and the agent of whoever runs the controller. */
  readonly sshKey: string | undefined;
  readonly sshAgentSocket: string | undefined;
}

/** How the controller signs in to remotes, each time anew: nothing of it reaches a sandbox, an argument or a log. */
export class RemoteAccesses {
  readonly #options: RemoteAccessOptions;

  constructor(options: RemoteAccessOptions) {
    this.#options = options;
  }

  /** Throws `forbidden` for a path that may not be used. */
  async open(remote: Remote, credential: GitCredential | undefined): Promise<RemoteAccess> {
    switch (remote.kind) {
      case "file":
        return {
          url: await allowedPath(remote.url, this.#options.roots),
          env: { GIT_ALLOW_PROTOCOL: "file" },
          // A repository's own configuration may name hooks, and who wrote it nobody knows.
          pushOptions: [
            "--receive-pack=git -c core.hooksPath=/dev/null -c core.alternateRefsCommand=true -c receive.denyCurrentBranch=refuse receive-pack",
          ],
        };
      case "ssh":
        return { url: remote.url, env: this.#sshEnvironment(), pushOptions: [] };
      case "https":
        return { url: remote.url, env: await this.#httpsEnvironment(remote.origin, credential), pushOptions: [] };
    }
  }

  /** Host keys are those that whoever runs the controller has accepted (`known_hosts`); no others. */
  #sshEnvironment(): Record<string, string> {
    const { sshKey, sshAgentSocket } = this.#options;
    const options = [
      ...["-F", "/dev/null", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o", "ForwardAgent=no"],
      ...["-o", "ClearAllForwardings=yes", "-o", "ConnectTimeout=15", "-o", "ServerAliveInterval=15"],
      ...["-o", `UserKnownHostsFile=${join(homedir(), ".ssh/known_hosts")}`],
      ...(sshKey === undefined ? [] : ["-i", sshKey, "-o", "IdentitiesOnly=yes"]),
    ];
    return {
      GIT_ALLOW_PROTOCOL: "ssh",
      GIT_SSH_COMMAND: ["ssh", ...options].map(shellWord).join(" "),
      ...(sshAgentSocket === undefined ? {} : { SSH_AUTH_SOCK: sshAgentSocket }),
    };
  }

  /** The credential goes to git as answers to exactly the questions of this host, so that no other host gets it. */
  async #httpsEnvironment(origin: string, credential: GitCredential | undefined): Promise<Record<string, string>> {
    if (!credential) return { GIT_ALLOW_PROTOCOL: "https" };
    const username = credential.username ?? "x-access-token";
    const [scheme = "", host = ""] = origin.split("://");
    return {
      GIT_ALLOW_PROTOCOL: "https",
      GIT_ASKPASS: await this.#askPassProgram(),
      BERTH_GIT_ASKED_USERNAME: `Username for '${origin}': `,
      BERTH_GIT_USERNAME: username,
      BERTH_GIT_ASKED_SECRET: `Password for '${scheme}://${encodeURIComponent(username)}@${host}': `,
      BERTH_GIT_SECRET: credential.secret,
    };
  }

  async #askPassProgram(): Promise<string> {
    await mkdir(this.#options.folder, { recursive: true, mode: 0o700 });
    const path = join(this.#options.folder, "answer-git");
    await writeFileAtomic(path, askPassProgram, 0o700);
    await chmod(path, 0o700);
    return path;
  }
}

const askPassProgram = `#!/bin/sh
# Answers git's questions with what the controller put into the environment of that one run.
case "$1" in
  "$BERTH_GIT_ASKED_USERNAME") printf '%s\\n' "$BERTH_GIT_USERNAME" ;;
  "$BERTH_GIT_ASKED_SECRET") printf '%s\\n' "$BERTH_GIT_SECRET" ;;
  *) exit 1 ;;
esac
`;
