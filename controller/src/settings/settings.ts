import { defaultSize, type SandboxSize, type SandboxSizeName, sandboxSizes } from "@berth/protocol";
import { Value } from "typebox/value";
import type { Limits } from "../limits/limits.ts";
import { checkTogether } from "./cross-checks.ts";
import { meaningOf, reservedNames, type VariableName, type Variables, variablesSchema } from "./schema.ts";
import { StartError } from "./start-error.ts";

/** The credential that sandboxes get for Claude, as the variable that carries it to the CLI. */
export interface ClaudeCredential {
  readonly variable: "CLAUDE_CODE_OAUTH_TOKEN" | "ANTHROPIC_API_KEY" | "ANTHROPIC_AUTH_TOKEN";
  readonly value: string;
}

/** A Proxmox cluster that somebody else runs. */
export interface ProxmoxAccess {
  /** Nodes of one cluster, tried in turn. */
  readonly urls: readonly string[];
  readonly tokenId: string;
  readonly tokenSecret: string;
  /** SHA-256 of the certificate of each node, lower case without colons; none: the system's CAs decide. */
  readonly fingerprints: readonly string[];
}

/** Everything that can be set from outside, parsed once. Ports may be 0: any free one. */
export interface Settings {
  readonly host: string;
  readonly port: number;
  /** Absolute. */
  readonly dataDir: string;
  /** Origin of the console as people reach it, where that is not the listener itself. */
  readonly publicUrl: URL | undefined;
  readonly agentPort: number;
  readonly agentUrl: URL | undefined;
  readonly sshPort: number;
  /** Whether the SSH gateway lets clients lend their agents to sandboxes. */
  readonly sshAgentForwarding: boolean;
  readonly isolated: boolean;
  /** What the containers of the bundled emulator are. */
  readonly backend: "auto" | "lxc" | "process";
  /** Whether agents are brought to the version that this controller has. */
  readonly agentUpdates: boolean;
  /** Whether terminals are recorded. Off also deletes what was. */
  readonly recording: boolean;
  /** How long nobody uses a sandbox before it sleeps, in milliseconds; undefined: none sleeps by itself. */
  readonly sleepAfterMs: number | undefined;
  readonly logLevel: "trace" | "debug" | "info" | "warn" | "error";
  readonly adminPassword: string | undefined;
  /** Absent: the embedded PostgreSQL. */
  readonly databaseUrl: string | undefined;
  /** Absent: the bundled emulator. */
  readonly proxmox: ProxmoxAccess | undefined;
  readonly pool: string | undefined;
  readonly storage: string | undefined;
  readonly bridge: string | undefined;
  readonly vlan: number | undefined;
  /** What a sandbox gets where nobody says otherwise. */
  readonly size: SandboxSize;
  /** How many sandboxes are made ahead, where nobody has said otherwise. */
  readonly poolSize: number;
  /** What all sandboxes may come to together. */
  readonly limits: Limits;
  /** How many times over a node's memory may be promised to sandboxes: few use all they may. */
  readonly memoryOvercommit: number;
  /** The templates that are used while none was built; the first one's id is also the first that a build tries. */
  readonly templateVmids: readonly [number, ...number[]];
  /** Below which folders of this host workspaces may have their source; none: nowhere. */
  readonly workspaceRoots: readonly string[];
  /** How the controller signs in to git remotes. */
  readonly git: {
    /** Absolute path of a private key; undefined: the user's own keys, and the agent. */
    readonly sshKey: string | undefined;
    readonly sshAgentSocket: string | undefined;
    readonly credentialHelper: string | undefined;
  };
  /** How long unsaved work of destroyed sandboxes is kept; 0: it is not. */
  readonly keepWorkDays: number;
  readonly claude: ClaudeCredential | undefined;
  readonly anthropicBaseUrl: string | undefined;
}

export interface ParsedSettings {
  readonly settings: Settings;
  /** One sentence each, to be logged. */
  readonly warnings: readonly string[];
}

/** Where a process keeps things by default. */
export interface Defaults {
  readonly dataDir: string;
}

/**
 * Reads the settings from a record of variables. Throws a `StartError` whose message has one sentence for each bad
 * value, with its name, what it is (a secret is masked) and what it must be.
 */
export function parseSettings(env: Readonly<Record<string, string | undefined>>, defaults: Defaults): ParsedSettings {
  const given = Object.fromEntries(
    Object.entries(env).filter(([name, value]) => Object.hasOwn(variablesSchema.properties, name) && value !== ""),
  );
  const variables = Value.Convert(variablesSchema, given);
  if (!Value.Check(variablesSchema, variables)) throw new StartError(badValues(given, variables).join("\n"));
  const problems = checkTogether(variables);
  if (problems.length > 0) throw new StartError(problems.join("\n"));
  return { settings: settingsOf(variables, defaults), warnings: unknownNames(env) };
}

function badValues(given: Record<string, string | undefined>, converted: unknown): string[] {
  const values: Record<string, unknown> = typeof converted === "object" && converted !== null ? { ...converted } : {};
  return Object.entries(variablesSchema.properties)
    .filter(([name, schema]) => values[name] !== undefined && !Value.Check(schema, values[name]))
    .map(([name, schema]) => {
      const { wants, secret } = meaningOf(schema);
      const value = secret ? `set (${given[name]?.length ?? 0} characters, not shown)` : JSON.stringify(given[name]);
      return `${name} is ${value}, but it must be ${wants}.`;
    });
}

function unknownNames(env: Readonly<Record<string, string | undefined>>): string[] {
  return Object.keys(env)
    .filter((name) => /^(BERTH|PROXMOX)_/.test(name))
    .filter((name) => !Object.hasOwn(variablesSchema.properties, name) && !reservedNames.has(name))
    .map((name) => `${name} is not a setting of Berth and is ignored: is it misspelt?`);
}

function settingsOf(variables: Variables, defaults: Defaults): Settings {
  return {
    host: variables.BERTH_HOST ?? "127.0.0.1",
    port: variables.BERTH_PORT ?? 7400,
    dataDir: variables.BERTH_DATA_DIR ?? defaults.dataDir,
    publicUrl: urlOf(variables.BERTH_PUBLIC_URL),
    agentPort: variables.BERTH_AGENT_PORT ?? 7401,
    agentUrl: urlOf(variables.BERTH_AGENT_URL),
    sshPort: variables.BERTH_SSH_PORT ?? 7422,
    sshAgentForwarding: variables.BERTH_SSH_AGENT_FORWARDING === "on",
    isolated: variables.BERTH_ISOLATED === "1",
    backend: backendOf(variables.BERTH_BACKEND),
    agentUpdates: variables.BERTH_AGENT_UPDATES !== "off",
    recording: variables.BERTH_RECORDING !== "off",
    sleepAfterMs: sleepAfterOf(variables.BERTH_SLEEP_AFTER ?? "20m"),
    logLevel: logLevelOf(variables.BERTH_LOG_LEVEL),
    adminPassword: variables.BERTH_ADMIN_PASSWORD,
    databaseUrl: variables.DATABASE_URL,
    proxmox: proxmoxOf(variables),
    pool: variables.PROXMOX_POOL,
    storage: variables.PROXMOX_STORAGE,
    bridge: variables.PROXMOX_BRIDGE,
    vlan: variables.PROXMOX_VLAN,
    size: sizeOf(variables.BERTH_SIZE),
    poolSize: variables.BERTH_POOL_SIZE ?? 0,
    limits: {
      sandboxes: variables.BERTH_MAX_SANDBOXES,
      sandboxesPerUser: variables.BERTH_MAX_SANDBOXES_PER_USER,
      cores: variables.BERTH_MAX_CORES,
      memoryMiB: variables.BERTH_MAX_MEMORY_MIB,
      diskGiB: variables.BERTH_MAX_DISK_GIB,
    },
    memoryOvercommit: variables.BERTH_MEMORY_OVERCOMMIT ?? 4,
    templateVmids: vmidsOf(variables.BERTH_TEMPLATE_VMID),
    workspaceRoots: variables.BERTH_WORKSPACE_ROOTS?.split(":") ?? [],
    git: {
      sshKey: variables.BERTH_GIT_SSH_KEY,
      sshAgentSocket: variables.SSH_AUTH_SOCK,
      credentialHelper: variables.BERTH_GIT_CREDENTIAL_HELPER,
    },
    keepWorkDays: variables.BERTH_KEEP_WORK_DAYS ?? 30,
    claude: claudeOf(variables),
    anthropicBaseUrl: variables.ANTHROPIC_BASE_URL,
  };
}

/** A size by name, or `cores,MiB,GiB`: the schema has seen to it that it is one of both. */
function sizeOf(text: string | undefined): SandboxSize {
  if (text === undefined) return defaultSize;
  const named = sizeNames.find((name) => name === text);
  if (named) return sandboxSizes[named];
  const [cores = 0, memoryMiB = 0, diskGiB = 0] = text.split(",").map(Number);
  return { cores, memoryMiB, diskGiB };
}

const sizeNames = ["small", "medium", "large"] as const satisfies SandboxSizeName[];

function vmidsOf(text = "150"): readonly [number, ...number[]] {
  const [first = 150, ...others] = text.split(",").map(Number);
  return [first, ...others];
}

function proxmoxOf(variables: Variables): ProxmoxAccess | undefined {
  const { PROXMOX_URL: urls, PROXMOX_TOKEN_ID: tokenId, PROXMOX_TOKEN_SECRET: tokenSecret } = variables;
  if (urls === undefined || tokenId === undefined || tokenSecret === undefined) return undefined;
  return {
    urls: urls.split(",").map((url) => url.trim().replace(/\/+$/, "")),
    tokenId,
    tokenSecret,
    fingerprints: (variables.PROXMOX_FINGERPRINT ?? "")
      .toLowerCase()
      .split(",")
      .map((fingerprint) => fingerprint.replaceAll(":", "").trim())
      .filter((fingerprint) => fingerprint !== ""),
  };
}

/** `checkTogether` has made sure that at most one is set. */
function claudeOf(variables: Variables): ClaudeCredential | undefined {
  for (const variable of claudeVariables) {
    const value = variables[variable];
    if (value !== undefined) return { variable, value };
  }
  return undefined;
}

const claudeVariables = [
  "CLAUDE_CODE_OAUTH_TOKEN",
  "ANTHROPIC_API_KEY",
  "ANTHROPIC_AUTH_TOKEN",
] as const satisfies VariableName[];

function backendOf(value: string | undefined): Settings["backend"] {
  return value === "lxc" || value === "process" ? value : "auto";
}

function logLevelOf(value: string | undefined): Settings["logLevel"] {
  return (["trace", "debug", "info", "warn", "error"] as const).find((level) => level === value) ?? "info";
}

const unitMs = { s: 1_000, m: 60_000, h: 3_600_000 } as const;

function sleepAfterOf(value: string): number | undefined {
  const [, count, unit] = /^(\d+)([smh]?)$/.exec(value) ?? [];
  if (count === undefined) return undefined;
  return Number(count) * (unit === "s" || unit === "h" ? unitMs[unit] : unitMs.m);
}

/** `checkTogether` has made sure that it is a URL. */
function urlOf(value: string | undefined): URL | undefined {
  return value === undefined ? undefined : new URL(value);
}
