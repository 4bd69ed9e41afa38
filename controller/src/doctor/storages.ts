import type { DoctorCheck } from "@berth/protocol";
import type { ProxmoxClient, ProxmoxStorage } from "@berth/proxmox";
import { briefly, fine, look, troubled } from "./check.ts";

/** Of which storage, and for how much, is asked. */
export interface StorageWish {
  /** The one of the settings or of the template; undefined: any that can. */
  readonly storage: string | undefined;
  /** The disk of one sandbox of the usual size. */
  readonly diskGiB: number;
}

/** What each node's storages can hold, and whether there is room. */
export async function checkStorages(
  client: ProxmoxClient,
  nodes: readonly string[],
  wish: StorageWish,
): Promise<readonly DoctorCheck[]> {
  const checks = await Promise.all(
    nodes.map((node) =>
      look({ id: `storage:${node}`, title: `Storage on ${node}` }, async () => {
        const storages = (await client.storages.list(node, {}, briefly())).filter(({ active }) => active);
        return [checkDisks(node, storages, wish), checkArchives(node, storages)];
      }),
    ),
  );
  return inProportion(checks.flat());
}

/** A node without the storage takes no sandboxes; while another one has it, that is no failure of the whole. */
function inProportion(checks: readonly DoctorCheck[]): readonly DoctorCheck[] {
  const serves = ({ id, state }: DoctorCheck) => id.startsWith("storage:") && (state === "ok" || state === "warning");
  if (!checks.some(serves)) return checks;
  return checks.map((check) => (check.state === "failed" ? { ...check, state: "warning" as const } : check));
}

const audit = "give the token Datastore.Audit on it";

function checkDisks(node: string, storages: readonly ProxmoxStorage[], { storage, diskGiB }: StorageWish): DoctorCheck {
  const subject = { id: `storage:${node}`, title: `Storage on ${node}` };
  const able = storages.filter(({ content }) => content.includes("rootdir"));
  const named = storage === undefined ? able : able.filter((one) => one.storage === storage);
  if (named.length === 0) {
    const what =
      storage === undefined
        ? "No storage can hold disks of containers"
        : `The storage ${storage} is not there, or cannot hold disks of containers`;
    const seen = able.map((one) => one.storage).join(", ") || "none";
    return troubled(
      subject,
      "failed",
      `${what}; those that the token sees and that can: ${seen}.`,
      `Allow the content “Container” on it (Datacenter, Storage), ${audit}, or choose another (PROXMOX_STORAGE).`,
    );
  }
  const roomiest = named.toSorted((a, b) => (b.availableBytes ?? 0) - (a.availableBytes ?? 0))[0];
  const freeBytes = roomiest?.availableBytes;
  if (freeBytes === undefined) return troubled(subject, "unknown", `${roomiest?.storage} does not tell its room.`);
  const room = `${roomiest?.storage} has ${gib(freeBytes)} GiB free`;
  if (freeBytes < diskGiB * 1024 ** 3) {
    return troubled(
      subject,
      "warning",
      `${room}, less than the disk of one sandbox (${diskGiB} GiB).`,
      "Make room on it: destroy sandboxes or old templates, or enlarge it.",
    );
  }
  return fine(subject, `${room}.`);
}

function checkArchives(node: string, storages: readonly ProxmoxStorage[]): DoctorCheck {
  const subject = { id: `archives:${node}`, title: `Container templates on ${node}` };
  const able = storages.filter(({ content }) => content.includes("vztmpl")).map(({ storage }) => storage);
  if (able.length > 0) return fine(subject, `${able.join(", ")} can hold them.`);
  return troubled(
    subject,
    "warning",
    "No storage that the token sees can hold them, so no template can be built on this node.",
    `Allow the content “Container template” on one (Datacenter, Storage), and ${audit}.`,
  );
}

function gib(bytes: number): string {
  return (bytes / 1024 ** 3).toFixed(1);
}
