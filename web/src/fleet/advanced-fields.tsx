import { everyPage, listNodes, vlanSchema } from "@berth/protocol";
import { useApi } from "../api/context.tsx";
import { useList } from "../settings/use-list.ts";
import { NumberField, SizeFields } from "./size-fields.tsx";
import { SleepField } from "./sleep-field.tsx";
import { roomText, type Wish } from "./wish.ts";

export interface AdvancedFieldsProps {
  wish: Wish;
  onWish: (changed: Partial<Wish>) => void;
}

/** What few ask for of a new sandbox: its size, its node, its VLAN, when it sleeps. */
export function AdvancedFields({ wish, onWish }: AdvancedFieldsProps) {
  return (
    <div className="form">
      <SizeFields
        choice={wish.size}
        onChoice={(size) => onWish({ size })}
        own={wish.own}
        onOwn={(own) => onWish({ own })}
      />
      <NodeField node={wish.node} onNode={(node) => onWish({ node })} />
      <NumberField
        label="VLAN"
        schema={vlanSchema}
        required={false}
        placeholder="the fleet’s, or none"
        value={wish.vlan}
        onValue={(vlan) => onWish({ vlan })}
      />
      <SleepField value={wish.sleepAfterMinutes} onValue={(sleepAfterMinutes) => onWish({ sleepAfterMinutes })} />
    </div>
  );
}

interface NodeFieldProps {
  node: string | undefined;
  onNode: (node: string | undefined) => void;
}

/** The choice of a Proxmox host, each with the room that it has. */
function NodeField({ node, onNode }: NodeFieldProps) {
  const api = useApi();
  const { items, failure } = useList(() =>
    everyPage((query) => api.call(listNodes, { query: { ...query, checks: false } })),
  );
  return (
    <div className="field">
      <label className="field">
        <span>Node</span>
        <select value={node ?? ""} onChange={(event) => onNode(event.target.value || undefined)}>
          <option value="">Automatic: the one with the most room</option>
          {items?.map((one) => (
            <option key={one.name} value={one.name} disabled={!one.online || one.maintenance}>
              {roomText(one)}
            </option>
          ))}
        </select>
      </label>
      {failure && <p className="field-note field-wrong">The nodes cannot be listed: {failure.message}</p>}
    </div>
  );
}
