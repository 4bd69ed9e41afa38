import { guestPaths, guestUser } from "@berth/protocol";
import { startedAtBoot, unitFiles, unitLink, units } from "../units.ts";
import { dockerFiles } from "./docker-files.ts";
import { type Entry, link, textFile } from "./entry.ts";
import { bashrc, pathProfile, profile } from "./shell-files.ts";
import { sshdFile } from "./sshd.ts";

/** Everything small: configuration, units, and the folders that programs expect. */
export function systemFiles(): readonly Entry[] {
  return [
    ...folders(),
    ...userFiles(),
    ...configuration(),
    ...units.flatMap(unitEntries),
    ...masks(),
    ...dockerFiles(),
  ];
}

function folders(): readonly Entry[] {
  const home = `home/${guestUser}`;
  return [
    { kind: "directory", path: home, mode: 0o750, owner: "berth" },
    { kind: "directory", path: `${home}/.local`, mode: 0o755, owner: "berth" },
    { kind: "directory", path: `${home}/.local/bin`, mode: 0o755, owner: "berth" },
    { kind: "directory", path: guestPaths.workspace, mode: 0o755, owner: "berth" },
    // The agent's configuration comes here later, written by root and readable by the agent's user.
    { kind: "directory", path: "etc/berth", mode: 0o755, owner: "root" },
    // Where the PTY host keeps screens. systemd would make it too, but not for what looks in from outside before.
    { kind: "directory", path: "var/lib/berth", mode: 0o700, owner: "berth" },
  ];
}

function userFiles(): readonly Entry[] {
  const home = `home/${guestUser}`;
  return [
    textFile(`${home}/.bashrc`, bashrc, 0o644, "berth"),
    textFile(`${home}/.profile`, profile, 0o644, "berth"),
    // Without it \`npm install --global\` would need root.
    textFile(`${home}/.npmrc`, `prefix=/${home}/.local\n`, 0o644, "berth"),
  ];
}

function configuration(): readonly Entry[] {
  return [
    textFile(sshdFile.path, sshdFile.contents),
    textFile("etc/sudoers.d/berth", `${guestUser} ALL=(ALL:ALL) NOPASSWD: ALL\n`, 0o440),
    textFile("etc/profile.d/berth-path.sh", pathProfile),
    textFile("etc/default/locale", "LANG=C.UTF-8\n"),
    // Debian's words about warranty would be in the way of every sign-in.
    textFile("etc/motd", ""),
    textFile("etc/systemd/system.conf.d/berth.conf", managerConfiguration),
    textFile("etc/systemd/journald.conf.d/berth.conf", journalConfiguration),
    textFile("etc/systemd/system-preset/00-berth.preset", presets()),
  ];
}

/** A container must stop within the time that Proxmox waits, and programs that systemd starts speak UTF-8 too. */
const managerConfiguration = `[Manager]
DefaultTimeoutStopSec=15s
DefaultEnvironment=LANG=C.UTF-8
`;

/** Kept over a restart, so that one sees why a container ended; bounded, since every sandbox has one. */
const journalConfiguration = `[Journal]
Storage=persistent
SystemMaxUse=64M
RuntimeMaxUse=16M
ForwardToSyslog=no
ForwardToConsole=no
Audit=no
`;

/**
 * What the first boot of a clone switches on: Proxmox gives a clone no machine-id, which systemd takes for a first boot,
 * and then it goes by presets, of which Debian's says "everything".
 */
function presets(): string {
  const on = ["ssh.service", "systemd-networkd.service", "docker.socket", "berth-docker-restart.service"];
  const off = ["ssh.socket", "docker.service", "containerd.service"];
  return [
    "# What a sandbox starts by itself.",
    ...[...units.map(startedAtBoot), ...on].map((name) => `enable ${name}`),
    ...off.map((name) => `disable ${name}`),
    "",
  ].join("\n");
}

function unitEntries(unit: (typeof units)[number]): readonly Entry[] {
  const { path, target } = unitLink(unit);
  return [...unitFiles(unit).map((file) => textFile(file.path, file.text)), link(path, target)];
}

/**
 * What is of no use in a container and costs boot time, memory, or inotify instances, of which all unprivileged
 * containers of a host share 128.
 */
const maskedUnits: readonly string[] = [
  // Nobody can be asked for a passphrase.
  "systemd-ask-password-console.path",
  "systemd-ask-password-console.service",
  "systemd-ask-password-wall.path",
  "systemd-ask-password-wall.service",
  // Terminals on which nobody can sign in, as there are no passwords.
  "console-getty.service",
  "container-getty@.service",
  "getty@.service",
  // Asks questions on the console at a first boot.
  "systemd-firstboot.service",
  // Sessions of systemd's own: one more manager for each user that signs in, and two seconds when it fails.
  "systemd-logind.service",
  // A sandbox is renewed with its template. All sandboxes of a fleet would fetch packages at the same minute.
  "apt-daily.timer",
  "apt-daily-upgrade.timer",
  "dpkg-db-backup.timer",
  "man-db.timer",
  "fstrim.timer",
  "e2scrub_all.timer",
  "e2scrub_reap.service",
  // Mail is not sent from here.
  "postfix.service",
  "postfix@-.service",
  // Of the host's kernel and clock.
  "systemd-udevd.service",
  "systemd-udev-trigger.service",
  "systemd-modules-load.service",
  "systemd-timesyncd.service",
  "systemd-binfmt.service",
  "proc-sys-fs-binfmt_misc.automount",
  "sys-kernel-debug.mount",
  "sys-kernel-tracing.mount",
  "sys-kernel-config.mount",
  "dev-hugepages.mount",
];

function masks(): readonly Entry[] {
  return maskedUnits.map((name) => link(`etc/systemd/system/${name}`, "/dev/null"));
}
