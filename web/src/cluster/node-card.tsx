import type { Node, Sandbox } from "@berth/protocol";
import { Link } from "../app/link.tsx";
import { sandboxPath } from "../app/route.ts";
import { durationText } from "../operation/duration.ts";
import { bytesOfText, sandboxesText } from "./amounts.ts";
import { UsageBar } from "./usage-bar.tsx";

/** How many sandboxes are named. */
const maxNamed = 8;

/** One Proxmox host: how it is, its room, and what is on it. `mine`: those of its sandboxes that may be named. */
export function NodeCard({ node, mine }: { node: Node; mine: readonly Sandbox[] }) {
  const [word, tone] = stateOf(node);
  return (
    <li className="node-card" data-node={node.name} data-tone={tone}>
      <header className="node-head">
        <h3 className="mono">{node.name}</h3>
        <span className="state-badge" data-tone={tone}>
          {word}
        </span>
        {node.uptimeSeconds !== null && node.online && (
          <span className="quiet node-up">up {durationText(node.uptimeSeconds * 1000)}</span>
        )}
      </header>
      {node.avoided && <p className="node-avoided">{avoidedText(node.avoided)}</p>}
      {node.online && <Room node={node} />}
      <dl className="node-facts">
        {/* What is on a host that is down, nobody can see. */}
        {node.online && (
          <>
            <dt>Template</dt>
            <dd>{node.templates.length === 0 ? "none here" : <Templates templates={node.templates} />}</dd>
          </>
        )}
        <dt>Sandboxes</dt>
        <dd>
          <SandboxesOf node={node} mine={mine} />
        </dd>
      </dl>
    </li>
  );
}

function stateOf({ online, maintenance, avoided }: Node): readonly [word: string, tone: string] {
  if (!online) return ["Down", "bad"];
  if (maintenance) return ["Maintenance", "warn"];
  if (avoided) return [avoided.kind === "template" ? "No template" : "No room", "warn"];
  return ["Online", "good"];
}

function avoidedText({ kind, reason }: NonNullable<Node["avoided"]>): string {
  if (kind === "offline")
    return "It does not answer. Its sandboxes are there again when it is back; no new one is made here.";
  return `No new sandbox is made here: ${reason}.`;
}

function Room({ node }: { node: Node }) {
  const { name, cpu, cores, memoryBytes, memoryUsedBytes, memoryPromisedBytes, storages } = node;
  return (
    <div className="room">
      {cpu === null || cores === null ? (
        <p className="quiet">The token may not see its load: see the doctor.</p>
      ) : (
        <RoomLine label="Processors" text={`${Math.round(cpu * 100)} % of ${cores}`} of={name} shares={[cpu]} />
      )}
      {memoryBytes !== null && memoryUsedBytes !== null && (
        <RoomLine
          label="Memory"
          text={bytesOfText(memoryUsedBytes, memoryBytes)}
          note={memoryPromisedBytes ? `and ${bytesOfText(memoryPromisedBytes, null)} promised` : undefined}
          of={name}
          shares={[memoryUsedBytes / memoryBytes, (memoryPromisedBytes ?? 0) / memoryBytes]}
        />
      )}
      {storages.map((storage) => (
        <StorageLine key={storage.name} storage={storage} of={name} />
      ))}
    </div>
  );
}

function StorageLine({ storage, of }: { storage: Node["storages"][number]; of: string }) {
  const { name, type, shared, totalBytes, freeBytes } = storage;
  const note = [type, shared ? "shared" : undefined].filter(Boolean).join(", ");
  if (totalBytes === null || freeBytes === null || totalBytes === 0) {
    return <RoomLine label={name} text="not told" note={note} of={of} />;
  }
  const used = totalBytes - freeBytes;
  return (
    <RoomLine label={name} text={bytesOfText(used, totalBytes)} note={note} of={of} shares={[used / totalBytes]} />
  );
}

interface RoomLineProps {
  label: string;
  text: string;
  note?: string | undefined;
  /** The host whose it is. */
  of: string;
  shares?: readonly [number, number?];
}

function RoomLine({ label, text, note, of, shares }: RoomLineProps) {
  return (
    <div className="room-line">
      <span className="room-label">
        {label} {note !== undefined && note !== "" && <span className="quiet">{note}</span>}
      </span>
      <span className="room-text">{text}</span>
      {shares && <UsageBar label={`${label} of ${of}`} text={text} shares={shares} />}
    </div>
  );
}

function Templates({ templates }: Pick<Node, "templates">) {
  return templates.map(({ vmid, version }, index) => (
    <span key={vmid}>
      {index > 0 && ", "}
      <span className="mono">{vmid}</span>
      {version !== null && <span className="quiet mono"> {version}</span>}
    </span>
  ));
}

function SandboxesOf({ node, mine }: { node: Node; mine: readonly Sandbox[] }) {
  const named = mine.slice(0, maxNamed);
  const others = node.sandboxes - named.length;
  if (named.length === 0) return node.sandboxes === 0 ? "none" : sandboxesText(node.sandboxes);
  return (
    <>
      {named.map(({ id, name }, index) => (
        <span key={id}>
          {index > 0 && ", "}
          <Link className="mono" href={sandboxPath(name)}>
            {name}
          </Link>
        </span>
      ))}
      {others > 0 && <span className="quiet"> and {others} more</span>}
    </>
  );
}
