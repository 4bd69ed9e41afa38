import { guestPaths } from "@berth/protocol";
import { templatePaths } from "../payload/paths.ts";
import type { BootstrapFiles } from "./options.ts";
import { quoted, type Step } from "./shell.ts";

/** The last ways in are closed, and the one of the bootstrap is opened. */
export function signInStep(bootstrap: BootstrapFiles | undefined): Step {
  const install =
    bootstrap === undefined
      ? "say_skipped bootstrap-keys 'none were given, so nobody can sign in'"
      : [
          `key=/${guestPaths.sshHostKey}`,
          `umask 077`,
          `printf '%s\\n' ${quoted(bootstrap.hostPrivateKey.trimEnd())} >"$key"`,
          `ssh-keygen -y -P '' -f "$key" >"$key.pub" || die 'the bootstrap host key is not a key'`,
          `printf '%s\\n' ${quoted(bootstrap.clientPublicKey.trim())} >/${guestPaths.authorizedKeys}`,
          `umask 022`,
          `chmod 644 "$key.pub" /${guestPaths.authorizedKeys}`,
          `mkdir -p /run/sshd`,
          `sshd -t || die 'the configuration of the SSH server is not valid'`,
        ].join("\n");
  return {
    name: "sign-in",
    script: `
# Those that Debian made, and those that a run before this one left.
rm -f /etc/ssh/ssh_host_* /${guestPaths.authorizedKeys}
# Whoever provisioned this must not stay able to come back into every clone.
rm -rf /root/.ssh
${install}
`,
  };
}

/** What the template says of itself; see \`templateFactsSchema\`. */
export function factsStep(version: string): Step {
  return {
    name: "facts",
    script: String.raw`
export SKIPPED_FILE="$skipped_file" TEMPLATE_VERSION=${quoted(version)}
# Not the client's: asking that one wakes the engine.
DOCKER_VERSION=$(dockerd --version 2>/dev/null | sed 's/^Docker version \([^,]*\).*/\1/')
export DOCKER_VERSION
/${templatePaths.node} -e '
  const { readFileSync, writeFileSync } = require("node:fs");
  const { SKIPPED_FILE, TEMPLATE_VERSION, DOCKER_VERSION } = process.env;
  const lines = readFileSync(SKIPPED_FILE, "utf8").split("\n").filter((line) => line !== "");
  const skipped = lines.map((line) => line.split("\t")).map(([name, reason]) => ({ name, reason }));
  const facts = { version: TEMPLATE_VERSION, builtAt: new Date().toISOString(), docker: DOCKER_VERSION || null, skipped };
  writeFileSync("/${templatePaths.facts}", JSON.stringify(facts, null, 2) + "\n");
'
chmod 644 /${templatePaths.facts}
`,
  };
}

/** Nothing that two clones must not share, and nothing that only takes room. */
export const cleanStep: Step = {
  name: "clean",
  script: `
apt-get clean
rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/log/apt /var/log/journal/* /var/log/*.log /var/log/*.gz
rm -rf /var/lib/dhcp/*.leases /var/lib/systemd/random-seed /var/lib/systemd/network /var/lib/sudo/lectured
rm -f /root/.bash_history /home/*/.bash_history /root/.wget-hsts /root/.lesshst /etc/resolv.conf.berth
find /tmp /var/tmp -mindepth 1 -maxdepth 1 ! -path "$skipped_file" -exec rm -rf {} +
# systemd gives every clone an id of its own if this file is there and empty.
: >/etc/machine-id
if [ -e /var/lib/dbus/machine-id ]; then ln -sf /etc/machine-id /var/lib/dbus/machine-id; fi
sync
`,
};
