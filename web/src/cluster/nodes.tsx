import { everyPage, listNodes, type Sandbox } from "@berth/protocol";
import { useApi } from "../api/context.tsx";
import { useReading } from "../api/use-reading.ts";
import { useSandboxes } from "../fleet/context.tsx";
import { FailureNote } from "../ui/failure-note.tsx";
import { NodeCard } from "./node-card.tsx";

/** Milliseconds between two looks: Proxmox's own figures are some seconds old. */
const everyMs = 15_000;

/** The Proxmox hosts. */
export function Nodes() {
  const api = useApi();
  const { value: nodes, failure } = useReading(
    () => everyPage((query) => api.call(listNodes, { query: { ...query, checks: false } })),
    everyMs,
  );
  const sandboxes = useSandboxes();
  return (
    <section className="cluster-part" aria-labelledby="nodes-title">
      <h2 id="nodes-title">Nodes</h2>
      {failure && <FailureNote failure={failure} />}
      {!nodes && !failure && <div className="skeleton row-skeleton" aria-busy="true" />}
      {nodes && (
        <ul className="node-list">
          {nodes.map((node) => (
            <NodeCard key={node.name} node={node} mine={onNode(sandboxes, node.name)} />
          ))}
        </ul>
      )}
    </section>
  );
}

function onNode(sandboxes: readonly Sandbox[], name: string): readonly Sandbox[] {
  return sandboxes.filter(({ node }) => node === name).toSorted((a, b) => a.name.localeCompare(b.name));
}
