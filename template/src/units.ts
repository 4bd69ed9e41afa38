import { guestPaths, guestUser } from "@berth/protocol";
import { templatePaths } from "./payload/paths.ts";

/** A program of Berth's in every container. */
export interface Unit {
  readonly name: string;
  /** What it does, in words for `systemctl status`. */
  readonly description: string;
  /** Arguments of the container's `node`: a bundle, relative to the container's root, and what follows it. */
  readonly program: string;
  readonly args: readonly string[];
  /** The program is started only once this file is there; relative to the root. Whoever connects to its socket knows. */
  readonly condition: string;
  /**
   * A socket of the program's, relative to the root. systemd listens on it from the container's boot on, starts the
   * program with the first connection, and hands the socket over; where there is no systemd the program is started with
   * the container and listens by itself.
   */
  readonly socket?: string;
  /** Other units of these. Their sockets are there before this one is started, and they stop after it. */
  readonly uses: readonly string[];
  /** What systemd does for this program beyond what it does for each of them: lines of `[Service]`. */
  readonly service: readonly string[];
}

/**
 * The program tells systemd itself when it is ready and how it is. Node has no datagram sockets of Unix, so a child,
 * `systemd-notify`, does the telling.
 */
const notifies: readonly string[] = ["Type=notify", "NotifyAccess=all"];

/**
 * Nothing of the host's unit may narrow what its children may do: they are people's shells, with sudo, builds and
 * containers of their own. So it has no hardening at all, and no bounds but the container's. Without `OOMPolicy` one
 * program that ate the memory would end every terminal; the host itself sees to it that its programs are chosen first.
 *
 * It has no `WatchdogSec`. systemd's watchdog counts time, and the time of a frozen container (a backup, a pause) goes
 * on: when it thaws, systemd finds every watchdog expired before the programs had a turn, and kills them. An agent comes
 * back from that within a second; here it would end all terminals of a host in perfect order. Instead the agent looks
 * whether the host answers, counts its own looks, and kills a host that is truly wedged; systemd watches the agent.
 *
 * It is started by its socket, since many sandboxes have no terminal for long. The agent, which has no privilege to start
 * anything, just connects; the kernel keeps that connection until the host takes it, however long its start takes, and
 * however often it must be started. A unit that looks for a file (`.path`) would start it as well, but knows nothing of
 * whether it still must, and holds an inotify instance, of which all containers of a node share few. As whoever is to
 * wait for the host does so at the socket, the host need not tell when it is ready.
 */
const ptyHost: readonly string[] = ["Type=exec", "OOMPolicy=continue", "TasksMax=infinity", "LimitNOFILE=524288"];

/**
 * The agent needs no privilege, and gets none. What takes a mount namespace (`ProtectSystem` and the like) is left out:
 * a Proxmox container without nesting refuses it, and the agent works in the home folder and the workspace anyway.
 */
const agent: readonly string[] = [
  ...notifies,
  "WatchdogSec=30",
  // A wedged program does not react to the default, SIGABRT, but for a core dump of its secrets.
  "WatchdogSignal=SIGKILL",
  "NoNewPrivileges=yes",
  "CapabilityBoundingSet=",
  "UMask=0077",
];

/** What starts the programs, of the version that counts in the container. */
const launcher = `${guestPaths.programs}/launch.mjs`;

/**
 * The programs of Berth in a container, in the order of their start. They are restarted whenever they end. The PTY host
 * is a unit of its own so that terminals outlive the agent.
 */
export const units: readonly Unit[] = [
  {
    name: "berth-pty-host",
    description: "Berth: holds the terminals",
    program: launcher,
    args: ["pty-host"],
    condition: guestPaths.agentConfig,
    socket: `${guestPaths.run}/pty.sock`,
    uses: [],
    service: ptyHost,
  },
  {
    name: "berth-agent",
    description: "Berth: links this sandbox with its controller",
    program: launcher,
    args: ["agent"],
    condition: guestPaths.agentConfig,
    uses: ["berth-pty-host"],
    service: agent,
  },
];

/** A file of systemd's, relative to the container's root. */
export interface UnitFile {
  readonly path: string;
  readonly text: string;
}

/** A link that starts something at each boot, relative to the root, and what it points to. */
export interface UnitLink {
  readonly path: string;
  readonly target: string;
}

/** What systemd starts at each boot for a unit: the program, or the socket that starts it. */
export function startedAtBoot({ name, socket }: Unit): string {
  return socket === undefined ? `${name}.service` : `${name}.socket`;
}

/** The files of a unit, as systemd 252 and later read them. */
export function unitFiles(unit: Unit): readonly UnitFile[] {
  const folder = "etc/systemd/system";
  const service = { path: `${folder}/${unit.name}.service`, text: serviceFile(unit) };
  if (unit.socket === undefined) return [service];
  return [service, { path: `${folder}/${unit.name}.socket`, text: socketFile(unit, unit.socket) }];
}

/** The link that starts a unit at each boot. */
export function unitLink(unit: Unit): UnitLink {
  const started = startedAtBoot(unit);
  const target = unit.socket === undefined ? "multi-user.target" : "sockets.target";
  return { path: `etc/systemd/system/${target}.wants/${started}`, target: `/etc/systemd/system/${started}` };
}

/**
 * Both programs run as the user of the terminals. A user of the agent's own would keep its secret from that user's
 * programs by nothing but a `sudo`, which needs no password; and the secret opens this very sandbox alone. The agent
 * keeps Claude's settings and the workspace in order, which are that user's.
 */
function serviceFile({ name, description, program, args, condition, socket, uses, service }: Unit): string {
  const sockets = uses.map((used) => `${used}.socket`);
  const lines = [
    "[Unit]",
    `Description=${description}`,
    // A program that is not due would leave whoever connects to its socket waiting, and systemd trying without an end.
    ...(socket === undefined ? [`ConditionPathExists=/${condition}`] : []),
    ...(sockets.length > 0 ? [`Wants=${sockets.join(" ")}`] : []),
    // Of the network it only matters that it ends later: the programs wait for it by themselves.
    `After=${[...sockets, ...uses.map((used) => `${used}.service`), "network.target"].join(" ")}`,
    // Never given up: what keeps a program from starting now, such as a full disk, may be gone later.
    "StartLimitIntervalSec=0",
    "",
    "[Service]",
    `User=${guestUser}`,
    // Used where it is there and fits; nothing of it reaches the terminals' programs.
    `Environment=NODE_COMPILE_CACHE=/${templatePaths.compiled}`,
    `ExecStart=${[`/${templatePaths.node}`, `/${program}`, ...args].join(" ")}`,
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
    ...(socket === undefined ? [] : socketAsInput(name)),
    ...service,
    ...(socket === undefined ? ["", "[Install]", "WantedBy=multi-user.target"] : []),
  ];
  return `${lines.join("\n")}\n`;
}

/** The only descriptors that a Node which becomes another program hands on are those of standard input and output. */
function socketAsInput(name: string): readonly string[] {
  return [`StandardInput=fd:${name}.socket`, "StandardOutput=journal"];
}

function socketFile({ description }: Unit, socket: string): string {
  const lines = [
    "[Unit]",
    `Description=${description}, from the first one on`,
    "",
    "[Socket]",
    `ListenStream=/${socket}`,
    `SocketUser=${guestUser}`,
    "SocketMode=0600",
    "DirectoryMode=0700",
    // Never given up, as the program itself.
    "TriggerLimitIntervalSec=0",
    // A program that cannot start is tried again for the next connection, whose maker waits longer each time; not for
    // one that it left behind, without any pause.
    "FlushPending=yes",
    "",
    "[Install]",
    "WantedBy=sockets.target",
  ];
  return `${lines.join("\n")}\n`;
}
