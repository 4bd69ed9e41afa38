import Type, { type Static } from "typebox";
import { attentionSchema, useSchema } from "../activity.ts";
import { failureSchema } from "../errors.ts";
import { environmentSchema } from "../guest.ts";
import { idSchema, nameSchema, referenceSchema } from "../names.ts";
import { gitWorkspaceSchema } from "./git-source.ts";
import { hostFolderSchema } from "./host-folder.ts";
import { operationSchema } from "./operations.ts";
import { instantSchema, nullable, pageOf, pageQuerySchema, route, strictObject } from "./route.ts";

export const sandboxStates = [
  "provisioning",
  "ready",
  "stopped",
  "stopping",
  "starting",
  "asleep",
  "destroying",
  "failed",
] as const;
export type SandboxState = (typeof sandboxStates)[number];

/** What is in the workspace at first. */
export const workspaceSchema = Type.Union([
  strictObject({ type: Type.Literal("empty") }),
  gitWorkspaceSchema,
  /** A folder on the controller's host, below one of the folders that its settings name. */
  strictObject({ type: Type.Literal("folder"), path: hostFolderSchema }),
]);
export type Workspace = Static<typeof workspaceSchema>;

const sizeFields = {
  cores: Type.Integer({ minimum: 1, maximum: 512 }),
  memoryMiB: Type.Integer({ minimum: 128, maximum: 4_194_304 }),
  diskGiB: Type.Integer({ minimum: 1, maximum: 65_536 }),
};
/** What a sandbox may use. */
export interface SandboxSize {
  readonly cores: number;
  readonly memoryMiB: number;
  readonly diskGiB: number;
}

/** What a sandbox gets where neither the fleet's settings nor anybody else says otherwise. */
export const defaultSize = { cores: 2, memoryMiB: 2048, diskGiB: 8 } as const satisfies SandboxSize;

/** The sizes on offer by name. The disk of a clone can not be smaller than its template's. */
export const sandboxSizes = {
  small: { cores: 1, memoryMiB: 1024, diskGiB: defaultSize.diskGiB },
  medium: defaultSize,
  large: { cores: 4, memoryMiB: 8192, diskGiB: 32 },
} as const satisfies Record<string, SandboxSize>;
export type SandboxSizeName = keyof typeof sandboxSizes;
export const sandboxSizeNameSchema = Type.Enum(["small", "medium", "large"]);

/** The tag of a network of its own on the bridge. */
export const vlanSchema = Type.Integer({ minimum: 1, maximum: 4094 });

/** What of a sandbox's settings Proxmox has a setting for. */
export const containerSettings = ["cores", "memoryMiB", "diskGiB", "onBoot", "protection"] as const;
export type ContainerSetting = (typeof containerSettings)[number];

/** A setting that somebody has changed in Proxmox: what Berth was told, and what the container has. */
export const driftSchema = Type.Object({
  setting: Type.Enum(containerSettings),
  wanted: Type.Union([Type.Number(), Type.Boolean()]),
  found: Type.Union([Type.Number(), Type.Boolean()]),
});
export type Drift = Static<typeof driftSchema>;

/** Minutes without use after which a sandbox sleeps: a year at most. */
export const sleepMinutesSchema = Type.Integer({ minimum: 1, maximum: 525_600 });

/** Minutes without use after which it sleeps; `off`: never; null: as the fleet's settings say. */
const sleepAfterMinutesSchema = nullable(Type.Union([sleepMinutesSchema, Type.Literal("off")]));

/** How it stands with a sandbox's sleep. */
export const idleSchema = Type.Object({
  /** Since when nothing has used it; null: it is in use, or does not run. */
  since: nullable(instantSchema),
  /** When it will sleep if nothing uses it until then. */
  sleepsAt: nullable(instantSchema),
  /** What keeps it awake, some of it. */
  uses: Type.Array(useSchema),
});
export type Idle = Static<typeof idleSchema>;

export const sandboxSchema = Type.Object({
  id: idSchema,
  name: nameSchema,
  ownerId: idSchema,
  state: Type.Enum(sandboxStates),
  /** Why it is not as wanted, and what to do. */
  error: nullable(failureSchema),
  ...sizeFields,
  /** Null: the fleet's, or none. */
  vlan: nullable(vlanSchema),
  /** Its container starts with its node. */
  onBoot: Type.Boolean(),
  /** It cannot be destroyed, here or in Proxmox, until this is taken off. */
  protection: Type.Boolean(),
  /** Settings that count from the next restart on. */
  restartNeeded: Type.Array(Type.Enum(containerSettings)),
  /** Settings that somebody has changed in Proxmox; Berth leaves them until the setting is changed here. */
  drift: Type.Array(driftSchema),
  /** The sandbox that it began as a copy of; it may be gone by now. */
  forkedFrom: nullable(idSchema),
  node: nullable(Type.String()),
  vmid: nullable(Type.Integer()),
  /** The container's address as the controller sees it. */
  address: nullable(Type.String()),
  /** The port of its SSH server at that address. */
  sshPort: Type.Integer({ minimum: 1, maximum: 65_535 }),
  workspace: workspaceSchema,
  /** Names of the variables that were set for it; their values are not shown again. */
  envNames: Type.Array(Type.String()),
  agent: Type.Object({ connected: Type.Boolean(), version: nullable(Type.String()) }),
  /** What Claude does in it: of several, what most wants a person's eyes. */
  attention: nullable(attentionSchema),
  sleepAfterMinutes: sleepAfterMinutesSchema,
  idle: idleSchema,
  /** The work on it that has not ended. */
  operationId: nullable(idSchema),
  createdAt: instantSchema,
  updatedAt: instantSchema,
});
export type Sandbox = Static<typeof sandboxSchema>;

const reference = strictObject({ id: referenceSchema });
const withOperation = Type.Object({ sandbox: sandboxSchema, operation: operationSchema });
const operationOnly = Type.Object({ operation: operationSchema });

export const listSandboxes = route({
  method: "GET",
  path: "/sandboxes",
  summary: "Your sandboxes, the newest first",
  tag: "sandboxes",
  access: "user",
  query: pageQuerySchema,
  status: 200,
  result: pageOf(sandboxSchema),
});

export const createSandbox = route({
  method: "POST",
  path: "/sandboxes",
  summary: "Make a sandbox",
  tag: "sandboxes",
  access: "user",
  idempotent: true,
  body: strictObject({
    name: Type.Optional(nameSchema),
    /** A size by name; numbers beside it count more. Without either: the fleet's. */
    size: Type.Optional(sandboxSizeNameSchema),
    cores: Type.Optional(sizeFields.cores),
    memoryMiB: Type.Optional(sizeFields.memoryMiB),
    diskGiB: Type.Optional(sizeFields.diskGiB),
    node: Type.Optional(Type.String({ pattern: "^[A-Za-z0-9][A-Za-z0-9-]{0,62}$" })),
    /** Its network card's VLAN; without it, the fleet's. */
    vlan: Type.Optional(vlanSchema),
    workspace: Type.Optional(workspaceSchema),
    env: Type.Optional(environmentSchema),
    sleepAfterMinutes: Type.Optional(sleepAfterMinutesSchema),
    /** False: made, and left stopped. */
    start: Type.Optional(Type.Boolean()),
  }),
  status: 202,
  result: withOperation,
});

export const getSandbox = route({
  method: "GET",
  path: "/sandboxes/:id",
  summary: "A sandbox, by id or name",
  tag: "sandboxes",
  access: "user",
  params: reference,
  status: 200,
  result: sandboxSchema,
});

export const updateSandbox = route({
  method: "PATCH",
  path: "/sandboxes/:id",
  summary:
    "Change a sandbox: its name, its environment for terminals opened from now on, its size (operationId names the work; a disk only grows), start on boot, protection, when it sleeps",
  tag: "sandboxes",
  access: "user",
  params: reference,
  body: strictObject({
    name: Type.Optional(nameSchema),
    env: Type.Optional(environmentSchema),
    cores: Type.Optional(sizeFields.cores),
    memoryMiB: Type.Optional(sizeFields.memoryMiB),
    diskGiB: Type.Optional(sizeFields.diskGiB),
    onBoot: Type.Optional(Type.Boolean()),
    protection: Type.Optional(Type.Boolean()),
    sleepAfterMinutes: Type.Optional(sleepAfterMinutesSchema),
  }),
  status: 200,
  result: sandboxSchema,
});

export const deleteSandbox = route({
  method: "DELETE",
  path: "/sandboxes/:id",
  summary: "Destroy a sandbox and all that is in it; refused where its repository has work that is nowhere else",
  tag: "sandboxes",
  access: "user",
  params: reference,
  query: strictObject({
    /** True: also with work that is nowhere else, of which a copy is kept for a while if the sandbox can be reached. */
    discard: Type.Optional(Type.Boolean()),
  }),
  status: 202,
  result: operationOnly,
});

const power = <const Verb extends "start" | "stop" | "restart" | "sleep" | "wake">(verb: Verb, summary: string) =>
  route({
    method: "POST",
    path: `/sandboxes/:id/${verb}`,
    summary,
    tag: "sandboxes",
    access: "user",
    params: reference,
    idempotent: true,
    status: 202,
    result: operationOnly,
  });
export const startSandbox = power("start", "Start a sandbox; its Claude terminals go on with their conversations");
export const stopSandbox = power("stop", "Stop a sandbox");
export const restartSandbox = power("restart", "Stop a sandbox and start it again");
export const sleepSandbox = power(
  "sleep",
  "Put a sandbox to sleep until something uses it; not while work in it would be cut",
);
export const wakeSandbox = power("wake", "Wake a sandbox that sleeps");
