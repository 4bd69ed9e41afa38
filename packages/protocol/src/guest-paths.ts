// Apart from the schemas: what starts the programs reads these and little else.

/**
 * Where things are inside a sandbox, relative to its root. The root is `/`, or the folder in the environment variable
 * `BERTH_ROOT` where a container is just processes (the emulator's process backend).
 */
export const guestPaths = {
  /** The agent's configuration: written by the bootstrap, and what the agent's unit waits for. Mode 600, of the guest user. */
  agentConfig: "etc/berth/agent.json",
  /** The programs (`launch.mjs`, `agent.mjs`, `pty-host.mjs`, `bootstrap.sh`), their `version`, and their native modules. */
  programs: "usr/lib/berth",
  /** Other versions of the programs, a folder each, and which of them counts. */
  updates: "var/lib/berth/programs",
  /** Proxmox gives every clone a new one. */
  machineId: "etc/machine-id",
  hostname: "etc/hostname",
  /** The bootstrap host key at first; the sandbox's own after the bootstrap. The public half has `.pub` appended. */
  sshHostKey: "etc/ssh/ssh_host_ed25519_key",
  /** Says that the sandbox's own host key is its; the fleet's authority has signed it. Renewed when a name changes, and in time. */
  sshHostCertificate: "etc/ssh/ssh_host_ed25519_key-cert.pub",
  /** The keys that may sign in, for every user of the container. */
  authorizedKeys: "etc/ssh/berth_authorized_keys",
  /** What the PTY host keeps: a folder a terminal. */
  terminals: "var/lib/berth/terminals",
  /** What each terminal runs, so that it can be started anew. Private: it may hold secrets of the owner's. */
  terminalRegistry: "var/lib/berth/agent/terminals.json",
  /** What the PTY host was told of the fleet's wishes. */
  ptyHostSettings: "var/lib/berth/pty-host.json",
  /**
   * Folder of the PTY host's socket, `pty.sock`. Unless systemd holds it, both sides enter the folder and name the socket
   * relative to it, since a socket's path may have at most 107 bytes.
   */
  run: "run/berth",
  /** The program by which git in a sandbox reaches the remote of its project; the agent writes it at its start. */
  gitRemote: "var/lib/berth/git-remote-berth",
  workspace: "workspace",
} as const;

/**
 * The user in a container whose programs run in the terminals, and Berth's own beside them. Where a container is just
 * processes there is no such user, and everything runs as whoever runs the emulator.
 */
export const guestUser = "berth";
