import type {
  Attention,
  ContainerSetting,
  Drift,
  Environment,
  Failure,
  KeptWork,
  OperationKind,
  Orphan,
  PushPolicy,
  SkippedPart,
  Step,
  TemplateWish,
  TerminalExit,
  TerminalKind,
  UnsavedWork,
  Workspace,
} from "@berth/protocol";
import type { ColumnType, Generated, GeneratedAlways } from "kysely";
import type { Count, CreatedAt, Instant, Json, OptionalInstant, OptionalJson } from "./column-types.ts";
import type { DiskWork, ForkSource } from "./disk-work.ts";
import type { SyncChangesTable, SyncRunsTable, WorkspacesTable } from "./sync-tables.ts";

export type { DiskWork, ForkSource } from "./disk-work.ts";
export type { ContinuousWish, SyncRunRequest, SyncRunsTable, WorkspacesTable } from "./sync-tables.ts";

/** At most one row: the fleet whose keys the sandboxes of this database know. */
export interface FleetTable {
  id: string;
  only_one: Generated<boolean>;
}

export interface UsersTable {
  id: string;
  username: string;
  password_hash: string | null;
  role: "admin";
  created_at: CreatedAt;
}

/** Sessions of the console and API tokens: both are bearers, and both are kept as hashes only. */
export interface TokensTable {
  id: string;
  user_id: string;
  kind: "session" | "api";
  name: string;
  /** SHA-256 of the token, hexadecimal: the token itself has 256 random bits. */
  hash: string;
  created_at: CreatedAt;
  last_used_at: OptionalInstant;
  expires_at: OptionalInstant;
}

/** The one-time set-up link's token, hashed; at most one row. */
export interface SetupTokensTable {
  hash: string;
  expires_at: Instant;
}

export interface SshKeysTable {
  id: string;
  user_id: string;
  name: string;
  public_key: string;
  fingerprint: string;
  created_at: CreatedAt;
}

/** Answers to calls that carried an `Idempotency-Key`, written in the transaction that did the work. */
export interface IdempotencyTable {
  user_id: string;
  /** Method and path of the call. */
  route: string;
  key: string;
  /** SHA-256 of the body. */
  body_hash: string;
  status: number;
  response: OptionalJson<unknown>;
  created_at: CreatedAt;
}

/** Desired state, what is known of the container, and the place in the reconciler's queue: one row is all three. */
export interface SandboxesTable {
  id: string;
  owner_id: string;
  name: string;
  cores: number;
  memory_mib: number;
  disk_gib: number;
  node_wanted: string | null;
  /** Of its network card; null: the fleet's. */
  vlan: ColumnType<number | null, number | null | undefined, number | null>;
  workspace: Json<Workspace>;
  env: Json<Environment>;
  desired: "running" | "stopped" | "asleep" | "destroyed";
  /** Grows with each restart that is asked for; a container that booted under an older one is stopped first. */
  boot_wanted: Generated<number>;
  boot_done: Generated<number>;
  /** Last state that was told to the outside. */
  state: string;
  error: OptionalJson<Failure>;
  /** When the reconciler looks next; null: when something happens. */
  look_at: OptionalInstant;
  /** Failures in a row of the present step. */
  attempts: Generated<number>;
  vmid: number | null;
  node: string | null;
  /** How it is cloned there: as a whole copy onto a storage, or sharing its source's disk; null: as is usual. */
  placement: OptionalJson<{ full: boolean; storage: string | null }>;
  template_vmid: number | null;
  /** The template of Berth's own making that it was cloned from: its keys are those of the first contact. */
  template_id: string | null;
  address: string | null;
  ssh_port: number | null;
  /** Whom the first connection signs in as; null: root. */
  ssh_user: string | null;
  task: OptionalJson<NotedTask>;
  /** Settings were written to the container's configuration. */
  configured: Generated<boolean>;
  /** SHA-256 fingerprint of the host key that the sandbox has since its bootstrap. */
  host_key_fingerprint: string | null;
  bootstrapped_at: OptionalInstant;
  /** The agent's secret as SHA-256, hexadecimal. */
  agent_secret_hash: string | null;
  /** Earlier ones that its agent may still have. */
  former_agent_secret_hashes: Generated<string[]>;
  /** What of the people's keys and of its host certificate the sandbox is known to have: see `ssh/access-delivered`. */
  access_delivered: ColumnType<string | null, string | null | undefined, string | null>;
  machine_id: string | null;
  agent_version: string | null;
  /** The project that its workspace is a clone of, the branch of its own there, and where on the remote that began. */
  project_id: string | null;
  branch: string | null;
  base_branch: string | null;
  /** The workspace has what it is to have at first. */
  workspace_filled: Generated<boolean>;
  /** What was unsaved when it was shut down last, and when that was (ISO 8601); null: nobody knows. */
  unsaved_then: OptionalJson<{ work: UnsavedWork; at: string }>;
  /** Its unsaved work is to be kept before it is destroyed. */
  keep_wanted: Generated<boolean>;
  /** Its container starts with its node, and cannot be removed. */
  on_boot: Generated<boolean>;
  protection: Generated<boolean>;
  /** Settings were changed that its container does not have yet. */
  change_wanted: Generated<boolean>;
  /** Settings that the container takes over when it is started next. */
  restart_needed: Generated<ContainerSetting[]>;
  /** What of its settings somebody has changed in Proxmox. */
  drift: ColumnType<Drift[], string | undefined, string>;
  /** Taken from the warm pool, and without the name and the keys of whoever took it yet. */
  handover_wanted: Generated<boolean>;
  disk_work: OptionalJson<DiskWork>;
  /** What it is a copy of; null: of a template. */
  source: OptionalJson<ForkSource>;
  /** What a `git push` in it may do. */
  git_push: Generated<PushPolicy>;
  /** What Claude does in it, of all terminals what most wants a person's eyes. */
  attention: ColumnType<Attention | null, Attention | null | undefined, Attention | null>;
  /** Minutes without use after which it sleeps, or "off"; null: as the settings say. */
  sleep_after: ColumnType<number | "off" | null, string | null | undefined, string | null>;
  /** It is to sleep since nobody uses it; false: since somebody wants it so. */
  sleep_unasked: Generated<boolean>;
  /** When its owner asked for it: one of the warm pool may be older. */
  created_at: ColumnType<Date, Date | undefined, Date>;
  updated_at: ColumnType<Date, Date | undefined, Date>;
}

/** Every vmid that a sandbox ever asked Proxmox for, so that none is forgotten when a clone succeeds late. */
export interface ClaimsTable {
  vmid: number;
  sandbox_id: string;
  node: string;
  /**
   * `abandoned`: the sandbox took another id; a container of ours found here is removed. `left`: that could not be done
   * yet, because its node is away or a lock was left, and the sandbox does not wait for it.
   */
  state: "held" | "abandoned" | "left";
  /** A clone call for it may be under way. */
  asked: Generated<boolean>;
  created_at: CreatedAt;
}

/** Containers of the fleet's without a sandbox that people were told of. */
export interface OrphansTable {
  vmid: number;
  orphan: Json<Orphan>;
}

/** A template that Berth has built, builds, or takes away again because its build failed or was cancelled. */
export interface TemplatesTable {
  id: string;
  /** Null: found again by its mark after the database was lost. */
  owner_id: string | null;
  state: "building" | "discarding" | "ready";
  state_since: ColumnType<Date, Date | undefined, Date>;
  operation_id: string | null;
  /** What was asked for. */
  wanted: ColumnType<TemplateWish, string, never>;
  /** Why it is discarded; null: the build was cancelled. */
  error: OptionalJson<Failure>;
  /** As of a sandbox. */
  look_at: OptionalInstant;
  attempts: Generated<number>;
  vmid: number | null;
  node: string | null;
  /** Where its disk is, and the bridge of its network card. */
  storage: string | null;
  bridge: string | null;
  /** The volume of Debian's own template that it is made from. */
  archive: string | null;
  /** When the call that makes the container was about to be made; its answer may be lost. */
  asked_at: OptionalInstant;
  /** The task that makes the container was seen to end well. */
  made: Generated<boolean>;
  task: OptionalJson<NotedTask>;
  address: string | null;
  /** SHA-256 fingerprints of the SSH host keys that it was made with. */
  host_keys: OptionalJson<string[]>;
  sent: Generated<boolean>;
  provisioned: Generated<boolean>;
  proved: Generated<boolean>;
  version: string | null;
  skipped: OptionalJson<SkippedPart[]>;
  built_at: OptionalInstant;
  created_at: CreatedAt;
}

/** How many sandboxes are made ahead, where somebody has said so; at most one row. */
export interface PoolTable {
  only_one: Generated<boolean>;
  size: number;
}

/** A Proxmox task that is waited for, the step that began it, and how many lines that step's log had before. */
export interface NotedTask {
  upid: string;
  step: string;
  logged: number;
}

export interface OperationsTable {
  id: string;
  owner_id: string;
  /** Null: the work is not on a sandbox. */
  sandbox_id: string | null;
  sandbox_name: string | null;
  kind: OperationKind;
  state: "queued" | "running" | "succeeded" | "failed" | "cancelled";
  steps: Json<Step[]>;
  error: OptionalJson<Failure>;
  /** What was asked for, where a controller that is started anew must know. */
  request: OptionalJson<Record<string, unknown>>;
  /** What came of it, where there is more to say than that it succeeded. */
  result: OptionalJson<Record<string, unknown>>;
  created_at: CreatedAt;
  finished_at: OptionalInstant;
}

export interface EventsTable {
  id: GeneratedAlways<number>;
  /** Place in the order of commits; the database gives it as the transaction commits, and until then it is null. */
  seq: ColumnType<number | null, never, never>;
  owner_id: string;
  sandbox_id: string | null;
  operation_id: string | null;
  type: string;
  data: Json<unknown>;
  created_at: CreatedAt;
}

export interface TerminalsTable {
  id: string;
  owner_id: string;
  sandbox_id: string;
  kind: TerminalKind;
  argv: OptionalJson<string[]>;
  cwd: string | null;
  cols: number;
  rows: number;
  conversation_id: string | null;
  state: "starting" | "running" | "exited";
  exit: OptionalJson<TerminalExit>;
  epoch: Generated<number>;
  /** The least that it may have since its sandbox was rolled back. */
  epoch_floor: Generated<number>;
  offset: Count;
  title: Generated<string>;
  /** What Claude does in it. */
  attention: ColumnType<Attention | null, Attention | null | undefined, Attention | null>;
  /** Deleted while its sandbox could not be reached: removed there at the next chance. */
  removed: Generated<boolean>;
  created_at: CreatedAt;
}

/** A link by which others may look at a terminal. */
export interface SharesTable {
  id: string;
  owner_id: string;
  terminal_id: string;
  name: Generated<string>;
  /** SHA-256 of the token, hexadecimal: the token itself has 256 random bits. */
  hash: string;
  created_at: CreatedAt;
  expires_at: Instant;
  revoked_at: OptionalInstant;
  last_used_at: OptionalInstant;
}

/** A connection through the SSH gateway; it outlives its sandbox. */
export interface SshSessionsTable {
  id: string;
  owner_id: string;
  sandbox_id: string | null;
  sandbox_name: string | null;
  /** The user name that was signed in with. */
  login: string;
  key_fingerprint: string;
  remote_address: string;
  client: string;
  started_at: CreatedAt;
  ended_at: OptionalInstant;
  end_reason: string | null;
  bytes_in: Count;
  bytes_out: Count;
  /** How many channels of each kind were opened. */
  channels: ColumnType<Record<string, number>, string | undefined, string>;
}

/** A Claude session; it outlives its sandbox. */
export interface ConversationsTable {
  id: string;
  owner_id: string;
  sandbox_id: string | null;
  /** The conversation that it began as a copy of, in a sandbox that is a copy. */
  forked_from: string | null;
  created_at: CreatedAt;
  updated_at: ColumnType<Date, Date | undefined, Date>;
}

/** A repository that sandboxes are made from. */
export interface ProjectsTable {
  id: string;
  owner_id: string;
  /** Without any credential. */
  url: string;
  default_branch: string | null;
  fetched_at: OptionalInstant;
  created_at: CreatedAt;
}

/** Unsaved work of a destroyed sandbox: its files are in the data directory. */
export interface KeptWorkTable {
  id: string;
  owner_id: string;
  sandbox_id: string;
  sandbox_name: string;
  url: string | null;
  parts: Json<KeptWork["parts"]>;
  /** Why there is not all of it. */
  missing: string | null;
  created_at: CreatedAt;
  expires_at: Instant;
}

/** Who did what: kept when the thing itself is gone. */
export interface AuditTable {
  id: Generated<number>;
  at: CreatedAt;
  user_id: string | null;
  action: string;
  subject: string;
  detail: Json<unknown>;
}

export interface Database {
  fleet: FleetTable;
  users: UsersTable;
  tokens: TokensTable;
  setup_tokens: SetupTokensTable;
  ssh_keys: SshKeysTable;
  idempotency: IdempotencyTable;
  sandboxes: SandboxesTable;
  claims: ClaimsTable;
  orphans: OrphansTable;
  pool: PoolTable;
  templates: TemplatesTable;
  operations: OperationsTable;
  events: EventsTable;
  terminals: TerminalsTable;
  shares: SharesTable;
  ssh_sessions: SshSessionsTable;
  conversations: ConversationsTable;
  projects: ProjectsTable;
  kept_work: KeptWorkTable;
  audit: AuditTable;
  workspaces: WorkspacesTable;
  sync_runs: SyncRunsTable;
  sync_changes: SyncChangesTable;
}
