import { useStore } from "../api/store.ts";
import { Link } from "../app/link.tsx";
import { connectionPath } from "../app/route.ts";
import type { Session } from "../session/session.ts";
import "./cluster.css";
import { DoctorSummary } from "./doctor-summary.tsx";
import { Limits } from "./limits.tsx";
import { Nodes } from "./nodes.tsx";
import { Orphans } from "./orphans.tsx";
import { WarmPool } from "./warm-pool.tsx";

/** Where sandboxes live: the hosts and their room, what is in use, what is made ahead, what belongs to nobody. */
export function ClusterPage({ session }: { session: Session }) {
  const state = useStore(session.state);
  return (
    <main className="page cluster-page">
      <header className="page-head">
        <h1>Cluster</h1>
        <Link href={connectionPath()} className="page-action">
          Connection to Proxmox
        </Link>
      </header>
      <DoctorSummary />
      <Orphans userId={state.phase === "signedIn" ? state.user.id : ""} />
      <Nodes />
      <div className="cluster-columns">
        <Limits />
        <WarmPool />
      </div>
    </main>
  );
}
