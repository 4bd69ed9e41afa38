import type { Examination } from "@berth/protocol";
import { Field } from "../ui/field.tsx";
import type { StepProps } from "./connection-page.tsx";

/** Where sandboxes go on that Proxmox, of what the token sees there. */
export function ChoiceFields({
  draft,
  onChange,
  examination,
}: Pick<StepProps, "draft" | "onChange"> & { examination: Examination | undefined }) {
  const { pool, storage, bridge, vlan } = draft;
  const vlanWrong = /^(?:|[1-9]\d{0,2}|[1-3]\d{3}|40[0-8]\d|409[0-4])$/.test(vlan)
    ? undefined
    : "A number from 1 to 4094.";
  return (
    <div className="choices">
      <Choice
        label="Pool"
        value={pool}
        offered={examination?.pools}
        none="None: all containers"
        onChoose={(value) => onChange({ pool: value })}
      />
      <Choice
        label="Storage"
        value={storage}
        offered={examination?.storages}
        none="The template’s"
        onChoose={(value) => onChange({ storage: value })}
      />
      <Choice
        label="Bridge"
        value={bridge}
        offered={examination?.bridges}
        none="The template’s"
        onChoose={(value) => onChange({ bridge: value })}
      />
      <Field
        label="VLAN"
        className="mono-input"
        inputMode="numeric"
        placeholder="none"
        maxLength={4}
        value={vlan}
        wrong={vlanWrong}
        onChange={(event) => onChange({ vlan: event.target.value.trim() })}
      />
    </div>
  );
}

interface ChoiceProps {
  label: string;
  value: string;
  /** Undefined: not known yet. */
  offered: readonly string[] | undefined;
  none: string;
  onChoose: (value: string) => void;
}

function Choice({ label, value, offered = [], none, onChoose }: ChoiceProps) {
  const names = value === "" || offered.includes(value) ? offered : [value, ...offered];
  return (
    <label className="field">
      <span>{label}</span>
      <select value={value} onChange={(event) => onChoose(event.target.value)}>
        <option value="">{none}</option>
        {names.map((name) => (
          <option key={name} value={name}>
            {offered.includes(name) || offered.length === 0 ? name : `${name} (not seen there)`}
          </option>
        ))}
      </select>
    </label>
  );
}
