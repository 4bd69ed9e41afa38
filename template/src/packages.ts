/**
 * Debian packages of a sandbox: what the system itself needs, and what a developer and Claude Code expect to find. A
 * builder installs those that are missing; the emulator's base has all of them, so that it needs no network later.
 */
export const debianPackages: readonly string[] = [
  // The system.
  ...["systemd", "systemd-sysv", "dbus", "openssh-server", "openssh-client", "sudo", "ca-certificates"],
  ...["iproute2", "iputils-ping", "netbase", "tzdata", "procps", "psmisc", "kmod", "acl", "bash-completion"],
  // Docker's engine needs one of them for the ports of its containers.
  ...["iptables", "nftables"],
  // Shell work.
  ...["tmux", "less", "vim", "nano", "htop", "lsof", "strace", "tree", "file", "ncurses-term"],
  ...["curl", "wget", "netcat-openbsd", "bind9-dnsutils", "rsync", "gnupg"],
  ...["tar", "gzip", "bzip2", "xz-utils", "zstd", "zip", "unzip", "patch", "diffutils"],
  // Code.
  ...["git", "gh", "ripgrep", "fd-find", "jq", "sqlite3"],
  ...["build-essential", "pkg-config", "python3", "python3-venv", "python3-pip"],
  // The root of the container that proves that Docker works: it needs no registry.
  "busybox-static",
];

/** What keeps a sandbox small: nobody reads manuals in it, and its language is English. */
export const dpkgExclusions: readonly string[] = [
  "path-exclude=/usr/share/man/*",
  "path-exclude=/usr/share/info/*",
  "path-exclude=/usr/share/doc/*",
  "path-include=/usr/share/doc/*/copyright",
  "path-exclude=/usr/share/locale/*",
];
