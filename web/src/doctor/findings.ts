import type { DoctorCheck } from "@berth/protocol";

type State = DoctorCheck["state"];

/** The checks of one part of what Berth needs. */
export interface FindingGroup {
  readonly title: string;
  /** Those that are not well, the worst first: together where one cure mends them, or there is none. */
  readonly problems: readonly Problem[];
  readonly well: readonly DoctorCheck[];
}

export interface Problem {
  readonly checks: readonly DoctorCheck[];
  readonly fix: string | null;
}

/** The groups by what the ids of their checks begin with. */
const groups: readonly (readonly [title: string, kinds: readonly string[]])[] = [
  ["Proxmox", ["proxmox", "certificate", "version", "cluster"]],
  ["Rights of the API token", ["privilege", "pool"]],
  ["Storage", ["storage", "archives"]],
  ["Network", ["bridge", "agents"]],
  ["Template", ["template"]],
  ["Containers", ["orphans"]],
  ["The controller itself", ["database", "data-dir"]],
];
const otherTitle = "Other";

const severity: readonly State[] = ["failed", "warning", "unknown", "ok"];

/** Sorts what was found: by parts, the worst part first, and in each the worst first. */
export function findingsOf(checks: readonly DoctorCheck[]): readonly FindingGroup[] {
  const titles = [...groups.map(([title]) => title), otherTitle];
  return titles
    .map((title) =>
      groupOf(
        title,
        checks.filter((check) => titleOf(check) === title),
      ),
    )
    .filter(({ problems, well }) => problems.length + well.length > 0)
    .toSorted((a, b) => worstOf(a) - worstOf(b));
}

/** How many checks are in each state. */
export function countsOf(checks: readonly DoctorCheck[]): Record<State, number> {
  const of = (state: State) => checks.filter((check) => check.state === state).length;
  return { ok: of("ok"), warning: of("warning"), failed: of("failed"), unknown: of("unknown") };
}

/** Those failures that keep sandboxes from being made, without a missing template, of which more is said elsewhere. */
export function hindrances(checks: readonly DoctorCheck[]): readonly DoctorCheck[] {
  return checks.filter(({ id, state }) => state === "failed" && kindOf(id) !== "template");
}

/** Whether a cure is lines for a shell, and not a sentence. */
export function isCommand(fix: string): boolean {
  return fix.split("\n").every((line) => /^(?:pveum|pvesm|pct|berth|ifup) /.test(line));
}

function groupOf(title: string, checks: readonly DoctorCheck[]): FindingGroup {
  const problems = new Map<string, Problem>();
  const bad = checks.filter(({ state }) => state !== "ok");
  for (const check of bad.toSorted((a, b) => severity.indexOf(a.state) - severity.indexOf(b.state))) {
    const key = check.fix ?? check.state;
    problems.set(key, { checks: [...(problems.get(key)?.checks ?? []), check], fix: check.fix });
  }
  return { title, problems: [...problems.values()], well: checks.filter(({ state }) => state === "ok") };
}

function worstOf({ problems }: FindingGroup): number {
  return Math.min(
    severity.length,
    ...problems.flatMap(({ checks }) => checks.map(({ state }) => severity.indexOf(state))),
  );
}

/** `privilege` of `privilege:/pool/berth:VM.Clone`. */
export const kindOf = (id: string): string => id.split(":")[0] ?? id;

function titleOf({ id }: DoctorCheck): string {
  return groups.find(([, kinds]) => kinds.includes(kindOf(id)))?.[0] ?? otherTitle;
}
