import type { DoctorCheck, Orphan } from "@berth/protocol";
import { fine, troubled } from "./check.ts";

export const orphansSubject = { id: "orphans", title: "Containers without a sandbox" };
/** How many are named. */
const maxNamed = 10;

/** Whether all containers that this fleet has made belong to sandboxes. */
export function checkOrphans(orphans: readonly Orphan[]): DoctorCheck {
  if (orphans.length === 0) return fine(orphansSubject, "Every container of this fleet's belongs to a sandbox.");
  const named = orphans.slice(0, maxNamed).map(({ vmid, name }) => (name === null ? `${vmid}` : `${vmid} (${name})`));
  const rest = orphans.length > maxNamed ? ` and ${orphans.length - maxNamed} more` : "";
  const detail = `These of this fleet's belong to no sandbox: ${named.join(", ")}${rest}. They are left alone.`;
  return troubled(orphansSubject, "warning", detail, "berth adopt --all");
}
