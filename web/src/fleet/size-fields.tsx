import { createSandbox, type SandboxSize, sandboxSizes } from "@berth/protocol";
import { ChoiceCards } from "../ui/choice-cards.tsx";
import { Field } from "../ui/field.tsx";
import { type SizeChoice, sizeText } from "./sizes.ts";

const bounds = createSandbox.body.properties;
const choices: readonly { value: SizeChoice; label: string; text: string }[] = [
  { value: "fleet", label: "The fleet’s", text: "As its settings say" },
  { value: "small", label: "Small", text: sizeText(sandboxSizes.small) },
  { value: "medium", label: "Medium", text: sizeText(sandboxSizes.medium) },
  { value: "large", label: "Large", text: sizeText(sandboxSizes.large) },
  { value: "own", label: "Own", text: "Your numbers" },
];

export interface SizeFieldsProps {
  choice: SizeChoice;
  onChoice: (choice: SizeChoice) => void;
  own: SandboxSize;
  onOwn: (own: SandboxSize) => void;
}

/** The choice of a size: the fleet's, one of three, or one's own numbers. */
export function SizeFields({ choice, onChoice, own, onOwn }: SizeFieldsProps) {
  const choose = (value: SizeChoice) => {
    if (value === "own" && choice !== "own" && choice !== "fleet") onOwn(sandboxSizes[choice]);
    onChoice(value);
  };
  return (
    <ChoiceCards legend="Size" name="size" value={choice} choices={choices} onChoose={choose}>
      {choice === "own" && <SizeNumbers size={own} onSize={(size) => onOwn({ ...own, ...size })} />}
    </ChoiceCards>
  );
}

export interface SizeNumbersProps {
  size: SandboxSize;
  /** The smallest disk; that of the contract by default. */
  minDiskGiB?: number;
  onSize: (changed: Partial<SandboxSize>) => void;
}

/** The three numbers of a size. */
export function SizeNumbers({ size, minDiskGiB, onSize }: SizeNumbersProps) {
  return (
    <div className="own-size">
      <NumberField label="Cores" schema={bounds.cores} value={size.cores} onValue={(cores) => onSize({ cores })} />
      <NumberField
        label="Memory, MiB"
        schema={bounds.memoryMiB}
        value={size.memoryMiB}
        onValue={(memoryMiB) => onSize({ memoryMiB })}
      />
      <NumberField
        label="Disk, GiB"
        schema={minDiskGiB === undefined ? bounds.diskGiB : { ...bounds.diskGiB, minimum: minDiskGiB }}
        value={size.diskGiB}
        onValue={(diskGiB) => onSize({ diskGiB })}
      />
    </div>
  );
}

export interface NumberFieldProps {
  label: string;
  /** The JSON Schema of the number, of which the bounds count. */
  schema: object;
  /** NaN: nothing is given. */
  value: number;
  onValue: (value: number) => void;
  /** False: it may be left empty. */
  required?: boolean;
  placeholder?: string;
}

/** A whole number within the bounds of the contract. */
export function NumberField({ label, schema, value, onValue, required = true, placeholder }: NumberFieldProps) {
  return (
    <Field
      label={label}
      type="number"
      inputMode="numeric"
      required={required}
      placeholder={placeholder}
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
