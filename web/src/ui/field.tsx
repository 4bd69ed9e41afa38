import { type InputHTMLAttributes, type ReactNode, useId } from "react";

export interface FieldProps extends InputHTMLAttributes<HTMLInputElement> {
  label: string;
  /** What may be given, or what it means. */
  note?: ReactNode;
  /** What is wrong with what was given. */
  wrong?: string | undefined;
}

/** A labelled input. */
export function Field({ label, note, wrong, className, ...input }: FieldProps) {
  const id = useId();
  const described = note !== undefined || wrong !== undefined;
  return (
    <div className={`field ${className ?? ""}`}>
      <label htmlFor={id}>{label}</label>
      <input
        {...input}
        id={id}
        aria-invalid={wrong !== undefined || undefined}
        aria-describedby={described ? `${id}-note` : undefined}
      />
      {described && (
        <p id={`${id}-note`} className={wrong === undefined ? "field-note" : "field-note field-wrong"}>
          {wrong ?? note}
        </p>
      )}
    </div>
  );
}
