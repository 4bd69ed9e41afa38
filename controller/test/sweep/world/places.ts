/** The container that sandboxes are cloned from. */
export const templateVmid = 150;

/** A call's path as it is the same in every run: without ids that are given out anew each time. */
export function normalisePath(path: string): string {
  return path
    .replace(/^\/api2\/json/, "")
    .split("?")[0]
    ?.split("/")
    .map((segment) => segmentOf(decodeURIComponent(segment)))
    .join("/") as string;
}

function segmentOf(segment: string): string {
  const task = /^UPID:[^:]+:[^:]+:[^:]+:[^:]+:(\w+):/.exec(segment)?.[1];
  if (task !== undefined) return `{${task}}`;
  if (segment === String(templateVmid)) return "{template}";
  if (segment.startsWith("berth-")) return "{temporary}";
  return /^\d{3,}$/.test(segment) ? "{vmid}" : segment;
}

/** A regular expression on paths as they are sent, for one that was normalised. */
export function patternOf(normalised: string): string {
  const segments = normalised.split("/").map((segment) => {
    if (segment === "{template}") return String(templateVmid);
    if (segment === "{temporary}") return "berth-[0-9a-z]+";
    if (segment === "{vmid}") return `(?!${templateVmid}\\b)\\d+`;
    const task = /^\{(\w+)\}$/.exec(segment)?.[1];
    return task === undefined ? segment : `UPID[^/]*${task}[^/]*`;
  });
  return `^/api2/json${segments.join("/")}(\\?|$)`;
}
