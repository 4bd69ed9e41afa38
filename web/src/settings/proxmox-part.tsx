import { Link } from "../app/link.tsx";
import { connectionPath } from "../app/route.ts";
import { nameOf } from "../connection/known-connection.ts";
import { useConnection } from "../connection/use-connection.ts";

/** Which Proxmox is used, and the way to change that. Those who may not see it see nothing. */
export function ProxmoxPart() {
  const { connection } = useConnection();
  if (!connection) return null;
  return (
    <section className="settings-part" aria-labelledby="proxmox-title">
      <h2 id="proxmox-title">Proxmox</h2>
      <p>
        Sandboxes are made on <strong>{nameOf(connection)}</strong>.
      </p>
      <Link href={connectionPath()} className="button">
        {connection.source === "environment" ? "See the connection" : "Change the connection"}
      </Link>
    </section>
  );
}
