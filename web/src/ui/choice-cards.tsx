import type { ReactNode } from "react";

export interface ChoiceCardsProps<Value extends string> {
  legend: string;
  /** Tells its radio buttons from those of others in the same form. */
  name: string;
  value: Value;
  choices: readonly { value: Value; label: string; text: string }[];
  onChoose: (value: Value) => void;
  /** What the choice asks for beside it. */
  children?: ReactNode;
}

/** One of a few, each with a line that says what it means. */
export function ChoiceCards<Value extends string>(props: ChoiceCardsProps<Value>) {
  const { legend, name, value, choices, onChoose, children } = props;
  return (
    <fieldset className="cards">
      <legend>{legend}</legend>
      <div className="card-choices">
        {choices.map((choice) => (
          <label key={choice.value} className="card">
            <input
              type="radio"
              name={name}
              value={choice.value}
              checked={choice.value === value}
              onChange={() => onChoose(choice.value)}
            />
            <span className="card-label">{choice.label}</span>
            <span className="card-text">{choice.text}</span>
          </label>
        ))}
      </div>
      {children}
    </fieldset>
  );
}
