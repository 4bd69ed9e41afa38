import { readFile } from "node:fs/promises";
import { join } from "node:path";
import Type, { type Static } from "typebox";
import { loadJson, saveJson } from "../../state/json-file.ts";
import type { RawLxcKey } from "../backend.ts";

/** Ids of one container: as many as 16 bits hold. */
const idsPerContainer = 65_536;
/** Where Proxmox VE's own range begins. */
const usualFirst = 100_000;
const lastFirst = 2_000_000_000;

const idRangeSchema = Type.Object({ first: Type.Integer({ minimum: idsPerContainer }), count: Type.Integer() });
/** The users and groups of the machine that the containers' ids 0 to `count` - 1 are. */
export type IdRange = Static<typeof idRangeSchema>;

/**
 * The range of a data folder, remembered there, since the owners of all files follow from it. It is Proxmox VE's own
 * unless /etc/subuid or /etc/subgid gives ids in it to somebody else than root: the processes of a user who may become
 * the same ids could otherwise signal those in containers.
 */
export async function idRangeOf(dataDir: string): Promise<IdRange> {
  const path = join(dataDir, "id-range.json");
  const known = await loadJson(path, idRangeSchema);
  if (known) return known;
  const tables = await Promise.all(
    ["/etc/subuid", "/etc/subgid"].map((file) => readFile(file, "utf8").catch(() => "")),
  );
  const range = freeRange(tables.join("\n"));
  await saveJson(path, range);
  return range;
}

/** The lowest range from the usual one on that these lines of /etc/subuid give to nobody but root. */
export function freeRange(table: string): IdRange {
  const taken = table
    .split("\n")
    .map((line) => line.split(":"))
    .filter(([owner]) => owner !== "root" && owner !== "0" && owner !== "")
    .map(([, first, count]) => ({ first: Number(first), count: Number(count) }));
  for (let first = usualFirst; first < lastFirst; first += idsPerContainer) {
    const meets = taken.some((other) => other.first < first + idsPerContainer && first < other.first + other.count);
    if (!meets) return { first, count: idsPerContainer };
  }
  throw new Error("containers need 65536 user ids that /etc/subuid gives to nobody: it gives all of them away");
}

/** The keys of a container's configuration that give it the range. */
export function idMapKeys({ first, count }: IdRange): RawLxcKey[] {
  return [
    ["lxc.idmap", `u 0 ${first} ${count}`],
    ["lxc.idmap", `g 0 ${first} ${count}`],
  ];
}

/**
 * The start of a command that runs its rest as the containers' root, with no rights on anything of the machine's. Run
 * it, as `lxc-start` too, with a PATH that has no /usr/bin: if LXC finds a `newuidmap`, it wants the range to be root's
 * in /etc/subuid, though root needs nobody's leave; otherwise it maps by itself.
 */
export function asContainerRoot({ first, count }: IdRange): readonly string[] {
  return ["/usr/bin/lxc-usernsexec", "-m", `u:0:${first}:${count}`, "-m", `g:0:${first}:${count}`, "--"];
}
