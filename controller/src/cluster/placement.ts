/** The cluster as a placement sees it; what nobody tells is undefined, and stands in no way. */
export interface PlacementNode {
  readonly name: string;
  readonly online: boolean;
  readonly maintenance: boolean;
  readonly memory: PlacementMemory | undefined;
  /** Those that may hold containers' disks. */
  readonly storages: readonly PlacementStorage[];
}

export interface PlacementMemory {
  readonly totalBytes: number;
  readonly usedBytes: number;
  /** What sandboxes on it may use and do not use yet. */
  readonly promisedBytes: number;
}

export interface PlacementStorage {
  readonly name: string;
  /** `zfspool`, `dir`, … */
  readonly type: string | undefined;
  readonly shared: boolean;
  readonly totalBytes: number | undefined;
  /** Without what copies on their way will take. */
  readonly freeBytes: number | undefined;
}

export interface PlacementTemplate {
  readonly vmid: number;
  readonly node: string;
  /** Where its disk is. */
  readonly storage: string | undefined;
  readonly diskGiB: number | undefined;
  /** Of the version that new sandboxes should have. */
  readonly current: boolean;
}

export interface PlacementWish {
  /** Null: wherever the most room is. */
  readonly node: string | null;
  readonly memoryMiB: number;
  readonly diskGiB: number;
  /** It is to run at once. */
  readonly runs: boolean;
  /** Where the settings want whole copies. */
  readonly storage: string | undefined;
  /** How many times over a node's memory may be promised. */
  readonly memoryOvercommit: number;
}

export interface Place<T extends PlacementTemplate> {
  readonly node: string;
  readonly template: T;
  /** The template's disk is copied; otherwise the clone shares it. */
  readonly full: boolean;
  /** Where the copy goes; undefined: Proxmox decides, beside the template. */
  readonly storage: string | undefined;
  readonly memory: PlacementMemory | undefined;
  readonly disk: PlacementStorage | undefined;
}

/** Why a node was not taken. */
export interface Refusal {
  readonly node: string;
  /** `offline`, `maintenance`: it is avoided; `template`: no template can be cloned to it; otherwise it has no room. */
  readonly kind: "offline" | "maintenance" | "template" | "memory" | "storage";
  /** For people, with the numbers. */
  readonly reason: string;
}

export type Placement<T extends PlacementTemplate> =
  | { readonly kind: "placed"; readonly place: Place<T>; readonly refusals: readonly Refusal[] }
  | { readonly kind: "nowhere"; readonly refusals: readonly Refusal[] };

const gibibyte = 1024 ** 3;
const mebibyte = 1024 ** 2;
/** What a clone that shares its template's disk needs to boot and to begin. */
const linkedGiB = 1;
/** Less memory than this is not started on, whatever was promised. */
const memoryFloorMiB = 512;

/** Types of storages on which a clone can share its template's disk. */
const linkedTypes: ReadonlySet<string> = new Set(["zfspool", "lvmthin", "btrfs", "rbd", "zfs"]);

/**
 * Where a sandbox goes: on the node that was asked for, or on the one on which the most sandboxes like it would fit. A
 * template on local storage is cloned on its own node; on shared storage, to every node that has that too, and whole
 * copies go to shared storage everywhere. Pure.
 */
export function place<T extends PlacementTemplate>(
  wish: PlacementWish,
  nodes: readonly PlacementNode[],
  templates: readonly T[],
): Placement<T> {
  const refusals: Refusal[] = [];
  const places: Place<T>[] = [];
  for (const node of nodes) {
    if (wish.node !== null && wish.node !== node.name) continue;
    const found = placeOn(wish, node, nodes, templates);
    if ("kind" in found) refusals.push(found);
    else places.push(found);
  }
  const best = places.toSorted((a, b) => order(wish, a, b))[0];
  return best ? { kind: "placed", place: best, refusals } : { kind: "nowhere", refusals };
}

function placeOn<T extends PlacementTemplate>(
  wish: PlacementWish,
  node: PlacementNode,
  nodes: readonly PlacementNode[],
  templates: readonly T[],
): Place<T> | Refusal {
  const refusal = (kind: Refusal["kind"], reason: string): Refusal => ({ node: node.name, kind, reason });
  if (!node.online) return refusal("offline", "it is offline");
  if (node.maintenance) return refusal("maintenance", "it is in maintenance");
  const ways = templates
    .filter((template) => nodes.some(({ name, online }) => online && name === template.node))
    .flatMap((template) => waysOf(wish, node, nodes, template));
  if (ways.length === 0) return refusal("template", withoutWay(wish, node));
  const memory = wish.runs ? memoryShort(wish, node.memory) : undefined;
  if (memory !== undefined) return refusal("memory", memory);
  const fitting = ways.filter((way) => diskShort(wish, way) === undefined);
  const best = fitting.toSorted((a, b) => order(wish, a, b))[0];
  return best ?? refusal("storage", [...new Set(ways.map((way) => diskShort(wish, way)))].join(", "));
}

function withoutWay({ storage }: PlacementWish, { storages }: PlacementNode): string {
  const why = "no template can be cloned to it: none is there, and none elsewhere on a storage that it shares";
  if (storage === undefined || storages.some(({ name }) => name === storage)) return why;
  return `${why}; and it has no storage ${storage} for whole copies, or the token may not see it`;
}

/** How the template can be cloned to the node: sharing its disk, or else as a whole copy. */
function waysOf<T extends PlacementTemplate>(
  wish: PlacementWish,
  node: PlacementNode,
  nodes: readonly PlacementNode[],
  template: T,
): Place<T>[] {
  const here = template.node === node.name;
  const { memory } = node;
  const own = node.storages.find(({ name }) => name === template.storage);
  const reaches = here || own?.shared === true;
  const linked = { node: node.name, template, full: false, storage: undefined, memory, disk: own };
  if (reaches && own?.type !== undefined && linkedTypes.has(own.type)) return [linked];
  const source = nodes.find(({ name }) => name === template.node);
  const targets = node.storages.filter(({ name, shared }) => {
    if (wish.storage !== undefined && name !== wish.storage) return false;
    return here || (shared && source?.storages.some((other) => other.name === name));
  });
  const copies = targets.map((disk) => ({ node: node.name, template, full: true, storage: disk.name, memory, disk }));
  // What the token cannot see may work all the same: Proxmox says so, and a whole copy is tried then.
  return copies.length === 0 && here && own === undefined && node.storages.length === 0 ? [linked] : copies;
}

function diskBytes(wish: PlacementWish, { full, template }: Place<PlacementTemplate>): number {
  return (full ? Math.max(wish.diskGiB, template.diskGiB ?? 0) : linkedGiB) * gibibyte;
}

/** What is missing on the storage; undefined: nothing. */
function diskShort(wish: PlacementWish, way: Place<PlacementTemplate>): string | undefined {
  const { disk } = way;
  const needed = diskBytes(wish, way);
  if (disk?.freeBytes === undefined || disk.freeBytes >= needed) return undefined;
  return `${disk.name} has ${amount(disk.freeBytes, disk.totalBytes)} free and ${gib(needed)} are needed`;
}

/** What is missing of memory; undefined: nothing. */
function memoryShort(wish: PlacementWish, memory: PlacementMemory | undefined): string | undefined {
  if (!memory) return undefined;
  const asked = wish.memoryMiB * mebibyte;
  const unused = memory.totalBytes - memory.usedBytes;
  const unpromised = memory.totalBytes * wish.memoryOvercommit - memory.usedBytes - memory.promisedBytes;
  if (unpromised >= asked && unused >= Math.min(asked, memoryFloorMiB * mebibyte)) return undefined;
  const promised = memory.promisedBytes > 0 ? `, ${gib(memory.promisedBytes)} of it promised to sandboxes,` : "";
  return `${amount(unused, memory.totalBytes)} of memory are free${promised} and ${gib(asked)} are needed`;
}

/** The current template first, then where the most like it would fit; one that shares its disk is made at once. */
function order(wish: PlacementWish, a: Place<PlacementTemplate>, b: Place<PlacementTemplate>): number {
  if (a.template.current !== b.template.current) return a.template.current ? -1 : 1;
  const difference = howMany(wish, b) - howMany(wish, a);
  if (Math.abs(difference) > 1e-9) return difference;
  // Storage that they share, or that is equally full, says nothing: memory does.
  const memory = unpromised(b) - unpromised(a);
  if (memory !== 0) return memory;
  if (a.full !== b.full) return a.full ? 1 : -1;
  const here = (place: Place<PlacementTemplate>) => (place.template.node === place.node ? 0 : 1);
  return here(a) - here(b) || a.node.localeCompare(b.node);
}

/** How many sandboxes like this would fit; what is not known counts as little. */
function howMany(wish: PlacementWish, { memory, disk }: Place<PlacementTemplate>): number {
  const room = disk?.freeBytes ?? 0;
  const inMemory = unpromised({ memory }) / (wish.memoryMiB * mebibyte);
  return memory === undefined && disk === undefined ? 0 : Math.min(inMemory, room / (wish.diskGiB * gibibyte));
}

function unpromised({ memory }: Pick<Place<PlacementTemplate>, "memory">): number {
  return memory ? memory.totalBytes - memory.usedBytes - memory.promisedBytes : 0;
}

/** `1.5 of 16 GiB` */
function amount(bytes: number, totalBytes: number | undefined): string {
  return totalBytes === undefined ? gib(bytes) : `${tenths(bytes)} of ${gib(totalBytes)}`;
}

/** `1.5 GiB` */
export function gib(bytes: number): string {
  return `${tenths(bytes)} GiB`;
}

const tenths = (bytes: number) => String(Math.round((bytes / gibibyte) * 10) / 10);
