import { type DoctorCheck, getDoctor } from "@berth/protocol";
import type { Command } from "commander";
import { exitCodes } from "../exit-codes.ts";
import type { Output } from "../output/output.ts";
import { harmless, type Look } from "../output/style.ts";
import { describe, does, groups, type Run } from "./register.ts";

/** `berth doctor`: looks at everything that the controller needs. */
export function doctorCommand(run: Run): Command {
  const command = describe("doctor", {
    summary: "Look at everything that Berth needs, from Proxmox to the disk",
    more: "Says of each thing that is amiss what mends it. Ends with 1 where something has failed.",
    examples: ["berth doctor", `berth doctor --json | jq -r '.checks[] | select(.state == "failed") | .fix'`],
    group: groups.more,
  });
  return does(command, run, async (session) => {
    const { output, signal } = session;
    const report = await (await session.client()).call(getDoctor, {}, { signal });
    output.result(report, () => wordsOf(report.checks, output));
    return verdictOf(report.checks);
  });
}

/** The exit code: warnings, and what could not be looked at, are for people. */
export function verdictOf(checks: readonly Pick<DoctorCheck, "state">[]): number | undefined {
  return checks.some(({ state }) => state === "failed") ? exitCodes.failed : undefined;
}

const looks = { ok: "green", warning: "yellow", failed: "red", unknown: "dim" } as const satisfies Record<
  DoctorCheck["state"],
  Look
>;

/** A table of what was found, and what to do about it. */
export function wordsOf(checks: readonly DoctorCheck[], output: Pick<Output, "style" | "table" | "quiet">): string {
  const rows = checks.map(({ title, state, detail }) => [
    harmless(title),
    output.style(looks[state], state),
    harmless(detail),
  ]);
  return `${output.table(["CHECK", "STATE", "FOUND"], rows)}${output.quiet ? "" : curesOf(checks, output)}`;
}

/** What to do, said once where it mends several things. */
function curesOf(checks: readonly DoctorCheck[], { style }: Pick<Output, "style">): string {
  const cures = new Map<string, string[]>();
  for (const { fix, title } of checks) if (fix !== null) cures.set(fix, [...(cures.get(fix) ?? []), harmless(title)]);
  return [...cures]
    .map(([fix, titles]) => {
      const lines = fix.split("\n").map((line) => `  ${harmless(line)}\n`);
      return `\n${style("bold", titles.join(", "))}:\n${lines.join("")}`;
    })
    .join("");
}
