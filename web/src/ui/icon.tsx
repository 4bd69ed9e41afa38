const paths = {
  check: "M3.5 8.5l3 3 6-7",
  cross: "M4 4l8 8M12 4l-8 8",
  right: "M6 3.5L10.5 8 6 12.5",
  down: "M3.5 6L8 10.5 12.5 6",
  left: "M10 3.5L5.5 8l4.5 4.5",
  plus: "M8 3v10M3 8h10",
  minus: "M3 8h10",
  back: "M6 3L3 6l3 3M3 6h6.5a3.5 3.5 0 0 1 0 7H6",
  more: "M3.5 8h.01M8 8h.01M12.5 8h.01",
  alert: "M8 2.5l6 10.5H2zM8 6.5v3M8 11.4h.01",
  clip: "M13 7.5l-5.2 5.2a3 3 0 0 1-4.3-4.3l5.6-5.6a2 2 0 0 1 2.9 2.9L6.5 11.2a1 1 0 0 1-1.5-1.4l4.6-4.6",
  copy: "M5.5 5.5v-3h8v8h-3M2.5 5.5h8v8h-8z",
} as const;
export type IconName = keyof typeof paths;

/** A small line drawing beside words; it says nothing by itself. */
export function Icon({ name }: { name: IconName }) {
  return (
    <svg className={`icon icon-${name}`} viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
      <path d={paths[name]} fill="none" stroke="currentColor" strokeLinecap="round" strokeLinejoin="round" />
    </svg>
  );
}

/** The console's mark: something moored in its berth. */
export function BerthMark() {
  return (
    <svg className="berth-mark" viewBox="0 0 24 24" width="22" height="22" aria-hidden="true">
      <path d="M4 4v13a3 3 0 0 0 3 3h10a3 3 0 0 0 3-3V4" fill="none" strokeWidth="2.5" strokeLinecap="round" />
      <rect x="9" y="4" width="6" height="10" rx="1.5" />
    </svg>
  );
}
