import { Field } from "./field.tsx";

export interface NameFieldProps {
  readonly value: string;
  /** What it is called if nothing is typed. */
  readonly suggestion: string;
  readonly maxLength: number;
  /** What names may consist of, where that is to be said. */
  readonly rule?: string;
  /** Why the name will not do. */
  readonly wrong: string | undefined;
  onName(name: string): void;
}

/** The first field of a dialog that makes something: its name, of which there is one already. */
export function NameField({ value, suggestion, maxLength, rule, wrong, onName }: NameFieldProps) {
  return (
    <Field
      label="Name"
      className="mono-input"
      value={value}
      placeholder={suggestion}
      autoComplete="off"
      autoCapitalize="none"
      spellCheck={false}
      maxLength={maxLength}
      autoFocus
      note={`${rule === undefined ? "" : `${rule} `}Left empty, it is the name shown.`}
      wrong={wrong}
      onChange={(event) => onName(event.target.value.trim())}
    />
  );
}
