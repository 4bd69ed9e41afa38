import { Link } from "../app/link.tsx";
import { clusterPath } from "../app/route.ts";
import { Icon } from "../ui/icon.tsx";
import { useOrphans } from "./use-orphans.ts";

/** Says above the fleet that there are containers of Berth's without a sandbox. */
export function OrphansNotice() {
  const { value: orphans = [] } = useOrphans(true);
  if (orphans.length === 0) return null;
  return (
    <div className="banner" role="status" data-notice="orphans">
      <Icon name="alert" />
      <p>
        <strong>
          {orphans.length === 1
            ? "A container of Berth’s belongs to no sandbox."
            : `${orphans.length} containers of Berth’s belong to no sandbox.`}
        </strong>{" "}
        Nothing happens to {orphans.length === 1 ? "it" : "them"} unasked. <Link href={clusterPath}>See and adopt</Link>
      </p>
    </div>
  );
}
