import { readFileSync } from "node:fs";
import { access, chmod, constants, mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { userInfo } from "node:os";
import { join } from "node:path";
import { bootstrapSubsystem, guestPaths } from "@berth/protocol";
import { processPaths } from "./process-paths.ts";

/** The port of sshd on a container's address: one that needs no root. */
export const sshPort = 2222;

const sshdPaths = ["/usr/sbin/sshd", "/usr/local/sbin/sshd", "/usr/bin/sshd"];
const sftpPaths = ["/usr/lib/openssh/sftp-server", "/usr/libexec/openssh/sftp-server", "/usr/lib/ssh/sftp-server"];

/** The first of these programs that the machine has. */
async function findProgram(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) {
    try {
      await access(path, constants.X_OK);
      return path;
    } catch {
      // The next one, perhaps.
    }
  }
  return undefined;
}

/** OpenSSH's server. Throws one sentence when the machine has none. */
export async function findSshd(): Promise<string> {
  const found = await findProgram(sshdPaths);
  if (found) return found;
  throw new Error("containers need OpenSSH's server: install it (on Debian: apt-get install openssh-server)");
}

/** The user that everything in a container runs as: the emulator's own. */
export function guestUser(): string {
  return userInfo().username;
}

/** The whole environment of a container's programs: nothing of the emulator's own leaks into it. */
export function guestEnvironment(root: string): Record<string, string> {
  const user = userInfo();
  return {
    BERTH_ROOT: root,
    HOME: join(root, "home", user.username),
    USER: user.username,
    LOGNAME: user.username,
    SHELL: user.shell ?? "/bin/sh",
    PATH: `${join(root, "usr/bin")}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
    LANG: "C.UTF-8",
  };
}

/** Writes what a container of processes needs beside the template's payload: sshd's configuration and the like. */
export async function writeGuestFiles(root: string, address: string, hostname: string): Promise<void> {
  const folders = ["etc/ssh", "run", "tmp", processPaths.logs, "usr/lib/emulator", "usr/bin", guestPaths.run];
  for (const folder of folders) await mkdir(join(root, folder), { recursive: true });
  await mkdir(join(root, "home", guestUser()), { recursive: true });
  await writeFile(join(root, guestPaths.hostname), `${hostname}\n`);
  await writeFile(join(root, processPaths.sshdConfig), await sshdConfig(root, address), { mode: 0o600 });
  await writeProgram(join(root, processPaths.session), sessionScript);
  await writeProgram(
    join(root, "usr/bin/poweroff"),
    '#!/bin/sh\nexec kill -TERM "$(cat "$BERTH_ROOT/run/init.pid")"\n',
  );
  await writeProgram(
    join(root, "usr/bin/reboot"),
    '#!/bin/sh\n: > "$BERTH_ROOT/run/reboot"\nexec kill -TERM "$(cat "$BERTH_ROOT/run/init.pid")"\n',
  );
}

/**
 * Points a container's `node` and `claude` at this machine's, when those that they were made with are gone: after an
 * upgrade, say.
 */
export async function renewLinks(root: string, targets: Readonly<Record<string, string | undefined>>): Promise<void> {
  for (const [name, target] of Object.entries(targets)) {
    const path = join(root, "usr/bin", name);
    if (target === undefined || (await findProgram([path]))) continue;
    await rm(path, { force: true });
    await symlink(target, path);
  }
}

async function writeProgram(path: string, text: string): Promise<void> {
  await writeFile(path, text);
  await chmod(path, 0o755);
}

/**
 * What every SSH session runs, with sshd's `SetEnv` in its environment: the command or subsystem asked for, or an
 * interactive shell that reads no file of the machine, since those would set another PATH.
 */
const sessionScript = `#!/bin/sh
cd "$HOME" 2>/dev/null || cd /
if [ -n "$SSH_ORIGINAL_COMMAND" ]; then exec /bin/sh -c "$SSH_ORIGINAL_COMMAND"; fi
if command -v bash >/dev/null; then exec bash --rcfile "$HOME/.bashrc" -i; fi
exec /bin/sh -i
`;

async function sshdConfig(root: string, address: string): Promise<string> {
  const sftp = await findProgram(sftpPaths);
  const environment = Object.entries(guestEnvironment(root)).map(([name, value]) => `"${name}=${value}"`);
  return [
    `ListenAddress ${address}:${sshPort}`,
    "AddressFamily inet",
    `HostKey "${join(root, guestPaths.sshHostKey)}"`,
    `HostCertificate "${join(root, guestPaths.sshHostCertificate)}"`,
    `AuthorizedKeysFile "${join(root, guestPaths.authorizedKeys)}"`,
    `PidFile "${join(root, "run/sshd.pid")}"`,
    `AllowUsers ${guestUser()}`,
    "AuthenticationMethods publickey",
    "PasswordAuthentication no",
    "KbdInteractiveAuthentication no",
    "PermitRootLogin prohibit-password",
    // The data folder need not be below folders that only its owner may write.
    "StrictModes no",
    `UsePAM ${needsPam() ? "yes" : "no"}`,
    "PermitUserRC no",
    "PermitUserEnvironment no",
    "PrintMotd no",
    "PrintLastLog no",
    "X11Forwarding no",
    "UseDNS no",
    "MaxStartups 100",
    "MaxSessions 100",
    "AcceptEnv *",
    `SetEnv ${environment.join(" ")}`,
    `ForceCommand "${join(root, processPaths.session)}"`,
    `Subsystem ${bootstrapSubsystem} /bin/sh "${join(root, guestPaths.programs, "bootstrap.sh")}"`,
    ...(sftp ? [`Subsystem sftp ${sftp}`] : []),
    "",
  ].join("\n");
}

/** Without PAM, sshd refuses a user whose password is locked; this matters only where sshd can see that, as root. */
function needsPam(): boolean {
  if (process.getuid?.() !== 0) return false;
  try {
    const line = readFileSync("/etc/shadow", "utf8")
      .split("\n")
      .find((one) => one.startsWith(`${guestUser()}:`));
    return line?.split(":")[1]?.startsWith("!") ?? false;
  } catch {
    return false;
  }
}
