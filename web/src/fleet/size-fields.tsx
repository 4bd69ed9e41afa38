import { createSandbox, type SandboxSize, sandboxSizes } from "@berth/protocol";
import { Field } from "../ui/field.tsx";
import { type SizeChoice, sizeText } from "./sizes.ts";

const bounds = createSandbox.body.properties;
const choices: readonly { choice: SizeChoice; label: string }[] = [
  { choice: "small", label: "Small" },
  { choice: "medium", label: "Medium" },
  { choice: "large", label: "Large" },
  { choice: "own", label: "Own" },
];

export interface SizeFieldsProps {
  choice: SizeChoice;
  onChoice: (choice: SizeChoice) => void;
  own: SandboxSize;
  onOwn: (own: SandboxSize) => void;
}

/** The choice of a size: one of three, or one's own numbers. */
export function SizeFields({ choice, onChoice, own, onOwn }: SizeFieldsProps) {
  return (
    <fieldset className="sizes">
      <legend>Size</legend>
      <div className="size-choices">
        {choices.map(({ choice: value, label }) => (
          <label key={value} className="size-choice">
            <input
              type="radio"
              name="size"
              value={value}
              checked={choice === value}
              onChange={() => {
                if (value === "own" && choice !== "own") onOwn(sandboxSizes[choice]);
                onChoice(value);
              }}
            />
            <span className="size-label">{label}</span>
            <span className="size-text">{value === "own" ? "Your numbers" : sizeText(sandboxSizes[value])}</span>
          </label>
        ))}
      </div>
      {choice === "own" && (
        <div className="own-size">
          <NumberField
            label="Cores"
            schema={bounds.cores}
            value={own.cores}
            onValue={(cores) => onOwn({ ...own, cores })}
          />
          <NumberField
            label="Memory, MiB"
            schema={bounds.memoryMiB}
            value={own.memoryMiB}
            onValue={(memoryMiB) => onOwn({ ...own, memoryMiB })}
          />
          <NumberField
            label="Disk, GiB"
            schema={bounds.diskGiB}
            value={own.diskGiB}
            onValue={(diskGiB) => onOwn({ ...own, diskGiB })}
          />
        </div>
      )}
    </fieldset>
  );
}

interface NumberFieldProps {
  label: string;
  schema: object;
  value: number;
  onValue: (value: number) => void;
}

function NumberField({ label, schema, value, onValue }: NumberFieldProps) {
  return (
    <Field
      label={label}
      type="number"
      inputMode="numeric"
      required
      step={1}
      min={boundOf(schema, "minimum")}
      max={boundOf(schema, "maximum")}
      value={Number.isNaN(value) ? "" : value}
      onChange={(event) => onValue(event.target.valueAsNumber)}
    />
  );
}

/** A keyword of the contract's own JSON Schema, which its type leaves out. */
function boundOf(schema: object, keyword: "minimum" | "maximum"): number | undefined {
  const bound: unknown = Object.entries(schema).find(([name]) => name === keyword)?.[1];
  return typeof bound === "number" ? bound : undefined;
}
