import Type, { type Static, type TSchema } from "typebox";

/** What a variable must be, for the sentence about a bad one: "BERTH_PORT must be <wants>". */
interface Meaning {
  wants: string;
  /** Its value is never shown. */
  secret?: true;
}

const text = (meaning: Meaning, limits: { pattern?: string; minLength?: number; maxLength?: number } = {}) =>
  Type.Optional(Type.String({ minLength: 1, maxLength: 4096, ...limits, ...meaning }));
const port = (meaning: Meaning) => Type.Optional(Type.Integer({ minimum: 0, maximum: 65_535, ...meaning }));
const secret = (wants: string, limits: { minLength?: number; maxLength?: number; pattern?: string } = {}) =>
  text({ wants, secret: true }, limits);

const limit = (of: string) =>
  Type.Optional(Type.Integer({ minimum: 0, maximum: 1_000_000_000, wants: `a number of ${of}` }));

const httpUrl = "^https?://[^\\s/]+(/\\S*)?$";
const httpsUrl = "https://[^\\s/,]+(/[^\\s,]*)?";
const proxmoxName = "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$";

/** Every variable that Berth reads, as text or as the number that the text means. */
export const variablesSchema = Type.Object({
  BERTH_HOST: text(
    { wants: "an address to listen on, such as 127.0.0.1 or 0.0.0.0" },
    { pattern: "^[A-Za-z0-9.:_-]+$" },
  ),
  BERTH_PORT: port({ wants: "a port number from 1 to 65535, or 0 for any free one" }),
  BERTH_DATA_DIR: text({ wants: "an absolute path of a folder that Berth may write to" }, { pattern: "^/" }),
  BERTH_PUBLIC_URL: text({ wants: "the console's address, http:// or https:// without a path" }, { pattern: httpUrl }),
  BERTH_AGENT_PORT: port({ wants: "a port number from 1 to 65535, or 0 for any free one" }),
  BERTH_AGENT_URL: text(
    { wants: "the agent listener's address as containers see it, such as wss://192.168.1.10:7401" },
    { pattern: "^(wss|https)://[^\\s/]+/?$" },
  ),
  BERTH_SSH_PORT: port({ wants: "a port number from 1 to 65535, or 0 for any free one" }),
  BERTH_SSH_AGENT_FORWARDING: text({ wants: "on or off" }, { pattern: "^(on|off)$" }),
  BERTH_ISOLATED: text({ wants: "0 or 1" }, { pattern: "^[01]$" }),
  BERTH_BACKEND: text({ wants: "one of auto, lxc, process" }, { pattern: "^(auto|lxc|process)$" }),
  BERTH_AGENT_UPDATES: text({ wants: "one of auto, off" }, { pattern: "^(auto|off)$" }),
  BERTH_RECORDING: text({ wants: "on or off" }, { pattern: "^(on|off)$" }),
  BERTH_SLEEP_AFTER: text(
    { wants: "off, or a time such as 20m, 2h or 90s (a bare number is minutes)" },
    { pattern: "^(off|[1-9][0-9]{0,5}[smh]?)$" },
  ),
  BERTH_LOG_LEVEL: text(
    { wants: "one of trace, debug, info, warn, error" },
    { pattern: "^(trace|debug|info|warn|error)$" },
  ),
  BERTH_ADMIN_PASSWORD: secret("a password of 10 to 256 characters", { minLength: 10, maxLength: 256 }),
  DATABASE_URL: secret("a PostgreSQL address such as postgres://user:password@host:5432/berth", {
    pattern: "^postgres(ql)?://\\S+$",
  }),
  PROXMOX_URL: text(
    { wants: "one or more https:// addresses of Proxmox nodes, separated by commas" },
    { pattern: `^\\s*${httpsUrl}(\\s*,\\s*${httpsUrl})*\\s*$` },
  ),
  PROXMOX_TOKEN_ID: text(
    { wants: "an API token's id such as berth@pve!berth" },
    { pattern: "^[^@!\\s]+@[^@!\\s]+![^@!\\s]+$" },
  ),
  PROXMOX_TOKEN_SECRET: secret("the UUID that Proxmox showed when the API token was made", {
    pattern: "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$",
  }),
  PROXMOX_FINGERPRINT: text(
    {
      wants:
        "a SHA-256 fingerprint (64 hexadecimal digits, with or without colons), or one for each node with commas between",
    },
    { pattern: "^\\s*([0-9a-fA-F]{2}:?){31}[0-9a-fA-F]{2}(\\s*,\\s*([0-9a-fA-F]{2}:?){31}[0-9a-fA-F]{2})*\\s*$" },
  ),
  PROXMOX_POOL: text({ wants: "the name of a Proxmox pool" }, { pattern: proxmoxName }),
  PROXMOX_STORAGE: text({ wants: "the name of a Proxmox storage" }, { pattern: proxmoxName }),
  PROXMOX_BRIDGE: text({ wants: "the name of a network bridge such as vmbr0" }, { pattern: proxmoxName }),
  PROXMOX_VLAN: Type.Optional(Type.Integer({ minimum: 1, maximum: 4094, wants: "a VLAN tag from 1 to 4094" })),
  BERTH_SIZE: text(
    { wants: "small, medium, large, or cores, MiB of memory and GiB of disk such as 4,8192,40" },
    { pattern: "^(small|medium|large|[1-9]\\d{0,2},[1-9]\\d{2,6},[1-9]\\d{0,4})$" },
  ),
  BERTH_MAX_SANDBOXES: limit("sandboxes"),
  BERTH_MAX_SANDBOXES_PER_USER: limit("sandboxes"),
  BERTH_MAX_CORES: limit("cores"),
  BERTH_MAX_MEMORY_MIB: limit("MiB"),
  BERTH_MAX_DISK_GIB: limit("GiB"),
  BERTH_POOL_SIZE: Type.Optional(
    Type.Integer({ minimum: 0, maximum: 100, wants: "a number of sandboxes from 0 to 100" }),
  ),
  BERTH_MEMORY_OVERCOMMIT: Type.Optional(
    Type.Number({ minimum: 1, maximum: 100, wants: "how many times over a node's memory may be promised, from 1" }),
  ),
  BERTH_TEMPLATE_VMID: text(
    { wants: "a Proxmox VMID from 100 to 999999999, or one for each node with commas between" },
    { pattern: "^\\s*[1-9]\\d{2,8}(\\s*,\\s*[1-9]\\d{2,8})*\\s*$" },
  ),
  BERTH_WORKSPACE_ROOTS: text(
    { wants: "absolute paths of folders, with colons between" },
    { pattern: "^/[^:]+(:/[^:]+)*$" },
  ),
  BERTH_GIT_SSH_KEY: text({ wants: "the absolute path of a private SSH key" }, { pattern: "^/" }),
  BERTH_GIT_CREDENTIAL_HELPER: text(
    { wants: "a git credential helper, such as store" },
    { pattern: "^[^\\u0000\\n]+$" },
  ),
  BERTH_KEEP_WORK_DAYS: Type.Optional(
    Type.Integer({ minimum: 0, maximum: 3650, wants: "a number of days from 0 to 3650" }),
  ),
  SSH_AUTH_SOCK: text({ wants: "the path of an SSH agent's socket" }),
  CLAUDE_CODE_OAUTH_TOKEN: secret("the token that `claude setup-token` prints", { pattern: "^\\S+$" }),
  ANTHROPIC_API_KEY: secret("an Anthropic API key", { pattern: "^\\S+$" }),
  ANTHROPIC_AUTH_TOKEN: secret("a bearer token for the Anthropic API", { pattern: "^\\S+$" }),
  ANTHROPIC_BASE_URL: text({ wants: "an http:// or https:// address" }, { pattern: httpUrl }),
});

export type Variables = Static<typeof variablesSchema>;
export type VariableName = keyof Variables;

/** Read before the settings, to find them. */
export const configFileVariable = "BERTH_CONFIG";

/** Names that are Berth's own though no setting of this version: scripts and tests use them. */
export const reservedNames: ReadonlySet<string> = new Set([
  configFileVariable,
  "BERTH_NODE",
  "BERTH_NODE_PIN",
  "BERTH_CACHE",
]);

/** What a variable must be, and whether its value may be shown. */
export function meaningOf(schema: TSchema): { wants: string; secret: boolean } {
  return {
    wants: "wants" in schema && typeof schema.wants === "string" ? schema.wants : "something else",
    secret: "secret" in schema && schema.secret === true,
  };
}
