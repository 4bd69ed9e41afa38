import { type Sandbox, sleepMinutesSchema } from "@berth/protocol";
import { NumberField } from "./size-fields.tsx";

/** When a sandbox that nobody uses sleeps, as the contract has it: minutes, never (`off`), or as the fleet's settings say. */
export type SleepChoice = Sandbox["sleepAfterMinutes"];

/** What one who chooses a time of their own begins with. */
const firstOwnMinutes = 60;

export interface SleepFieldProps {
  value: SleepChoice;
  onValue: (value: SleepChoice) => void;
}

/** The choice of when a sandbox sleeps that nobody uses. */
export function SleepField({ value, onValue }: SleepFieldProps) {
  const own = typeof value === "number";
  const choose = (choice: string) =>
    onValue(choice === "own" ? (own ? value : firstOwnMinutes) : choice === "off" ? "off" : null);
  return (
    <div className="sleep-field">
      <label className="field">
        <span>Sleeps when unused</span>
        <select value={own ? "own" : (value ?? "fleet")} onChange={(event) => choose(event.target.value)}>
          <option value="fleet">after the fleet’s time</option>
          <option value="own">after a time of its own</option>
          <option value="off">never</option>
        </select>
      </label>
      {own && <NumberField label="Minutes" schema={sleepMinutesSchema} value={value} onValue={onValue} />}
      <p className="field-note">
        Asleep, it takes no memory; whatever uses it wakes it within seconds. Claude at work, or waiting for an answer,
        keeps it awake.
      </p>
    </div>
  );
}
