import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Command } from "commander";
import { flag } from "../options.ts";
import type { Session } from "../session.ts";
import { hostAlias, sshConfig, sshFiles } from "../ssh/files.ts";
import { changeUserConfig, withInclude, withoutInclude } from "../ssh/include.ts";
import { type PreparedSsh, prepareSsh } from "../ssh/prepare.ts";
import { describe, does, groups, type Run, tellDone } from "./register.ts";

/** `berth ssh-config`: for every program that uses OpenSSH: editors, git, rsync. */
export function sshConfigCommand(run: Run): Command {
  const command = describe("ssh-config", {
    summary: "Let ssh, scp, rsync, git and editors reach sandboxes by name",
    more: `Prints the configuration; with --write, ~/.ssh/config includes it, and ssh web.berth works (VS Code's Remote-SSH
too). Sandboxes that come later are in it after the next run, or the next berth ssh. claude.web.berth is its Claude.
direct.web.berth is the sandbox's own SSH server, for machines that reach its address, and jump.web.berth the same through
the gateway, which then sees ciphertext alone; both are known by the fleet's certificate authority.`,
    examples: [
      "berth ssh-config --write",
      "ssh web.berth",
      "rsync -a ./ web.berth:/workspace/",
      "ssh direct.web.berth",
      "berth ssh-config --remove",
    ],
    group: groups.files,
  })
    .option("--write", "include it in ~/.ssh/config")
    .option("--remove", "take it out of there again");
  return does(command, run, async (session, at) => {
    if (flag(at, "remove")) return remove(session);
    const ssh = await prepareSsh(session);
    if (flag(at, "write")) await include(session, ssh);
    else session.output.result(sshFacts(ssh), () => sshConfig(ssh.facts));
    return undefined;
  });
}

const sshFacts = ({ files, gateway }: PreparedSsh) => ({
  gateway,
  configFile: files.config,
  knownHostsFile: files.knownHosts,
  identityFile: files.key,
});

async function include(session: Session, ssh: PreparedSsh): Promise<void> {
  const { configDir, home } = session.environment;
  const pattern = join(configDir, "ssh", "*", "config");
  const changed = await changeUserConfig(home, (text) => withInclude(text, pattern));
  const names = ssh.facts.sandboxes.map(({ name }) => hostAlias(name, ssh.facts.profile));
  session.output.note(changed ? "~/.ssh/config includes it now." : "~/.ssh/config includes it already.");
  session.output.result(sshFacts(ssh), () => names.map((name) => `ssh ${name}\n`).join(""));
}

async function remove(session: Session): Promise<undefined> {
  const { configDir, home } = session.environment;
  const changed = await changeUserConfig(home, withoutInclude);
  const { config } = sshFiles(configDir, await session.profileInUse());
  await rm(config, { force: true });
  const sentence = changed ? "~/.ssh/config is as it was before." : "~/.ssh/config had nothing of it.";
  tellDone(session, { configFile: config, removed: changed }, sentence);
  return undefined;
}
