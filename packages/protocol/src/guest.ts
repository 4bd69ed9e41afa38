import Type, { type Static } from "typebox";

/**
 * Where things are inside a sandbox, relative to its root. The root is `/`, or the folder in the environment variable
 * `BERTH_ROOT` where a container is just processes (the emulator's process backend).
 */
export const guestPaths = {
  /** The agent's configuration: written by the bootstrap, and what the agent's unit waits for. Mode 600, of the guest user. */
  agentConfig: "etc/berth/agent.json",
  /** The programs (`agent.mjs`, `pty-host.mjs`, `bootstrap.sh`), their `version`, and their native modules. */
  programs: "usr/lib/berth",
  /** Proxmox gives every clone a new one. */
  machineId: "etc/machine-id",
  hostname: "etc/hostname",
  /** The bootstrap host key at first; the sandbox's own after the bootstrap. The public half has `.pub` appended. */
  sshHostKey: "etc/ssh/ssh_host_ed25519_key",
  /** The keys that may sign in, for every user of the container. */
  authorizedKeys: "etc/ssh/berth_authorized_keys",
  /** What the PTY host keeps: a folder a terminal. */
  terminals: "var/lib/berth/terminals",
  /**
   * Folder of the PTY host's socket, `pty.sock`. Unless systemd holds it, both sides enter the folder and name the socket
   * relative to it, since a socket's path may have at most 107 bytes.
   */
  run: "run/berth",
  workspace: "workspace",
} as const;

/**
 * The user in a container whose programs run in the terminals, and Berth's own beside them. Where a container is just
 * processes there is no such user, and everything runs as whoever runs the emulator.
 */
export const guestUser = "berth";

/** Raw LXC keys of a template's configuration that tell how to reach it: `lxc.environment = BERTH_SSH_PORT=2222`. */
export const templateEnvironment = { sshPort: "BERTH_SSH_PORT", sshUser: "BERTH_SSH_USER" } as const;

/** Environment of a sandbox's programs: at most 64 KiB in all, checked where it enters. */
export const environmentSchema = Type.Record(
  Type.String({ pattern: "^[A-Za-z_][A-Za-z0-9_]{0,127}$" }),
  Type.String({ maxLength: 16384, pattern: "^[^\\u0000]*$" }),
  { maxProperties: 256 },
);
export type Environment = Static<typeof environmentSchema>;

/** The agent's configuration, a file in the sandbox. */
export const agentConfigSchema = Type.Object(
  {
    sandboxId: Type.String({ maxLength: 64 }),
    sandboxName: Type.String({ maxLength: 63 }),
    /** The machine-id that this configuration was made for: in a copy of the container it differs, and the agent stays silent. */
    machineId: Type.String({ pattern: "^[0-9a-f]{32}$" }),
    /** `wss://host:port`, the controller as the container sees it. */
    controllerUrl: Type.String({ maxLength: 512, pattern: "^wss://" }),
    /** The controller's certificate, PEM: the only one accepted. */
    controllerCertificate: Type.String({ maxLength: 16384 }),
    secret: Type.String({ minLength: 32, maxLength: 128 }),
    /** For every terminal: the Claude credential, and what the owner set. */
    env: environmentSchema,
  },
  { additionalProperties: false },
);
export type AgentConfig = Static<typeof agentConfigSchema>;
