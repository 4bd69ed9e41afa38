import { type createSandbox, type Node, type RouteInput, type SandboxSize, sandboxSizes } from "@berth/protocol";
import type { SizeChoice } from "./sizes.ts";
import type { SleepChoice } from "./sleep-field.tsx";
import { emptySource, type Source, workspaceOf } from "./source.ts";

/** What somebody wants of a new sandbox beside its name. */
export interface Wish {
  /** What its workspace is made from. */
  readonly source: Source;
  readonly size: SizeChoice;
  /** Counts where the size is one's own. */
  readonly own: SandboxSize;
  /** Undefined: Berth chooses. */
  readonly node: string | undefined;
  /** Its network card's tag; NaN: the fleet's, if it has one. */
  readonly vlan: number;
  readonly sleepAfterMinutes: SleepChoice;
}

/** What one gets who asks for nothing. */
export const plainWish: Wish = {
  source: emptySource,
  size: "fleet",
  own: sandboxSizes.medium,
  node: undefined,
  vlan: Number.NaN,
  sleepAfterMinutes: null,
};

/** A wish as the request says it: what nobody has chosen is left to the controller. */
export function bodyOf(wish: Wish): RouteInput<typeof createSandbox>["body"] {
  const { size, own, node, vlan, sleepAfterMinutes } = wish;
  const workspace = workspaceOf(wish.source);
  return {
    ...(workspace === undefined ? {} : { workspace }),
    ...(size === "own" ? own : size === "fleet" ? {} : { size }),
    ...(node === undefined ? {} : { node }),
    ...(Number.isNaN(vlan) ? {} : { vlan }),
    ...(sleepAfterMinutes === null ? {} : { sleepAfterMinutes }),
  };
}

/** A node's room in a few words: `pve1: 12.3 GiB memory, 80 GiB disk free`; or why nothing goes there. */
export function roomText({ name, avoided, storages, ...memory }: Node): string {
  if (avoided) return `${name}: ${avoidedWords[avoided.kind]}`;
  const { memoryBytes, memoryUsedBytes, memoryPromisedBytes } = memory;
  const freeDisk = Math.max(...storages.map(({ freeBytes }) => freeBytes ?? -1), -1);
  const parts = [
    ...(memoryBytes === null
      ? []
      : [`${gibText(memoryBytes - (memoryUsedBytes ?? 0) - (memoryPromisedBytes ?? 0))} memory`]),
    ...(freeDisk < 0 ? [] : [`${gibText(freeDisk)} disk`]),
  ];
  return parts.length === 0 ? name : `${name}: ${parts.join(", ")} free`;
}

const avoidedWords: Record<NonNullable<Node["avoided"]>["kind"], string> = {
  offline: "offline",
  maintenance: "in maintenance",
  template: "no template can be cloned to it",
  memory: "too little memory free",
  storage: "too little disk space free",
};

function gibText(bytes: number): string {
  const gib = Math.max(0, bytes) / 1024 ** 3;
  return `${gib < 100 ? Math.round(gib * 10) / 10 : Math.round(gib)} GiB`;
}
