/** Files of the process backend in a container's root, relative to it. */
export const processPaths = {
  sshdConfig: "etc/ssh/sshd_config",
  session: "usr/lib/emulator/ssh-session",
  initPid: "run/init.pid",
  /** Left behind by `reboot` in a container: init's end is then a reboot. */
  rebootRequest: "run/reboot",
  logs: "var/log",
} as const;
