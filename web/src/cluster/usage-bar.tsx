export interface UsageBarProps {
  /** What is used, for those who do not see it. */
  label: string;
  /** The same numbers in words. */
  text: string;
  /** Shares of the whole, from 0 to 1, one behind the other: what is used, and then what was promised. */
  shares: readonly [used: number, promised?: number];
}

/** From which share of the whole on a bar warns, and says that it is full. */
const warnsFrom = 0.8;
const fullFrom = 0.95;

/** How much of something is used, as a bar. */
export function UsageBar({ label, text, shares: [used, promised = 0] }: UsageBarProps) {
  const whole = Math.min(1, Math.max(0, used));
  const rest = Math.min(1 - whole, Math.max(0, promised));
  const tone = used >= fullFrom ? "bad" : used >= warnsFrom ? "warn" : "good";
  return (
    // biome-ignore lint/a11y/useSemanticElements: a <meter> shows one part only
    <div
      className="usage-bar"
      role="meter"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.round(whole * 100)}
      aria-valuetext={text}
      data-tone={tone}
    >
      <span style={{ width: `${whole * 100}%` }} />
      {rest > 0 && <span className="usage-promised" style={{ width: `${rest * 100}%` }} />}
    </div>
  );
}
