import type { Sandbox } from "@berth/protocol";
import { Link } from "../app/link.tsx";
import { sandboxSettingsPath } from "../app/route.ts";

/** That a sandbox was changed by hand, or waits for a restart, with the way to where that is told; nothing otherwise. */
export function CareFact({ sandbox: { name, drift, restartNeeded } }: { sandbox: Sandbox }) {
  const words = drift.length > 0 ? "changed in Proxmox" : restartNeeded.length > 0 ? "restart needed" : undefined;
  if (words === undefined) return null;
  return (
    <Link className="fact-warn" href={sandboxSettingsPath(name)}>
      {words}
    </Link>
  );
}
