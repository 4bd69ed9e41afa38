import { guestPaths, guestUser } from "@berth/protocol";
import { templatePaths } from "./payload/paths.ts";

/** A program that runs in every container for as long as the container does. */
export interface Unit {
  readonly name: string;
  /** What it does, in words for `systemctl status`. */
  readonly description: string;
  /** Arguments of the container's `node`: a bundle, relative to the container's root. */
  readonly program: string;
  /** The unit starts only once this file is there; relative to the root. */
  readonly condition: string;
  /** Units that are started before this one. */
  readonly wants: readonly string[];
  /** What systemd does for this program beyond what it does for each of them: lines of `[Service]`. */
  readonly service: readonly string[];
}

/**
 * Nothing of the host's unit may narrow what its children may do: they are people's shells, with sudo, builds and
 * containers of their own. So it has no hardening at all, and no bounds but the container's. Without `OOMPolicy` one
 * program that ate the memory would end every terminal; the host itself sees to it that its programs are chosen first.
 *
 * It has no `WatchdogSec`. systemd's watchdog counts time, and the time of a frozen container (a backup, a pause) goes
 * on: when it thaws, systemd finds every watchdog expired before the programs had a turn, and kills them. An agent comes
 * back from that within a second; here it would end all terminals of a host in perfect order. Instead the agent looks
 * whether the host answers, counts its own looks, and kills a host that is truly wedged; systemd watches the agent.
 */
const ptyHost: readonly string[] = ["OOMPolicy=continue", "TasksMax=infinity", "LimitNOFILE=524288"];

/**
 * The agent needs no privilege, and gets none. What takes a mount namespace (`ProtectSystem` and the like) is left out:
 * a Proxmox container without nesting refuses it, and the agent works in the home folder and the workspace anyway.
 */
const agent: readonly string[] = [
  "WatchdogSec=30",
  // A wedged program does not react to the default, SIGABRT, but for a core dump of its secrets.
  "WatchdogSignal=SIGKILL",
  "NoNewPrivileges=yes",
  "CapabilityBoundingSet=",
  "UMask=0077",
];

/**
 * The programs of Berth in a container, in the order of their start. They are restarted whenever they end. The PTY host
 * is a unit of its own so that terminals outlive the agent.
 */
export const units: readonly Unit[] = [
  {
    name: "berth-pty-host",
    description: "Berth: holds the terminals",
    program: `${guestPaths.programs}/pty-host.mjs`,
    condition: guestPaths.agentConfig,
    wants: [],
    service: ptyHost,
  },
  {
    name: "berth-agent",
    description: "Berth: links this sandbox with its controller",
    program: `${guestPaths.programs}/agent.mjs`,
    condition: guestPaths.agentConfig,
    wants: ["berth-pty-host"],
    service: agent,
  },
];

/** Where a unit's file lies in a container with systemd, relative to its root. */
export function unitPath({ name }: Unit): string {
  return `etc/systemd/system/${name}.service`;
}

/** The link that starts a unit at each boot, relative to the root, and what it points to. */
export function unitLink(unit: Unit): { readonly path: string; readonly target: string } {
  return { path: `etc/systemd/system/multi-user.target.wants/${unit.name}.service`, target: `/${unitPath(unit)}` };
}

/**
 * A unit as systemd 252 and later read it.
 *
 * Both programs run as the user of the terminals. A user of the agent's own would keep its secret from that user's
 * programs by nothing but a `sudo`, which needs no password; and the secret opens this very sandbox alone. The agent
 * keeps Claude's settings and the workspace in order, which are that user's.
 */
export function unitFile({ name, description, program, condition, wants, service }: Unit): string {
  const needed = wants.map((wanted) => `${wanted}.service`);
  const lines = [
    "[Unit]",
    `Description=${description}`,
    `ConditionPathExists=/${condition}`,
    ...(needed.length > 0 ? [`Wants=${needed.join(" ")}`] : []),
    // Of the network it only matters that it ends later: the programs wait for it by themselves.
    `After=${[...needed, "network.target"].join(" ")}`,
    // Never given up: what keeps a program from starting now, such as a full disk, may be gone later.
    "StartLimitIntervalSec=0",
    "",
    "[Service]",
    "Type=notify",
    // Node has no datagram sockets of Unix, so a child, `systemd-notify`, tells systemd.
    "NotifyAccess=all",
    `User=${guestUser}`,
    // Used where it is there and fits; nothing of it reaches the terminals' programs.
    `Environment=NODE_COMPILE_CACHE=/${templatePaths.compiled}`,
    `ExecStart=/${templatePaths.node} /${program}`,
    `SyslogIdentifier=${name}`,
    "Restart=always",
    "RestartSec=500ms",
    // SIGTERM to the program alone: a terminal's program that got it before its host would read as ended, not as lost.
    "KillMode=mixed",
    "TimeoutStopSec=15",
    // Both units share these folders, and neither takes them along when it stops.
    "RuntimeDirectory=berth",
    "RuntimeDirectoryMode=0700",
    "RuntimeDirectoryPreserve=yes",
    "StateDirectory=berth",
    "StateDirectoryMode=0700",
    ...service,
    "",
    "[Install]",
    "WantedBy=multi-user.target",
  ];
  return `${lines.join("\n")}\n`;
}
