import { describe, expect, it } from "vitest";
import { decide, type EntryState, type Known } from "../src/index.ts";

const file = (version: number): EntryState => ({ type: "file", bytes: 1, mtimeNs: String(version), mode: 0o644 });
const folder: EntryState = { type: "folder", bytes: 0, mtimeNs: "0", mode: 0o755 };
const link = (target: string): EntryState => ({ type: "link", bytes: 1, mtimeNs: "0", mode: 0o777, target });
const known = (agreed?: EntryState, maybe?: EntryState): Known => ({
  ...(agreed ? { agreed } : {}),
  ...(maybe ? { maybe: { state: maybe, direction: "push" } } : {}),
});
interface What {
  known?: Known;
  source?: EntryState;
  destination?: EntryState;
  direction?: "push" | "pull";
  deletes?: boolean;
}
const outcome = (what: What) => {
  const { source, destination, direction = "push", deletes = false } = what;
  const decision = decide({ known: what.known, source, destination, direction, deletes });
  return decision.kind === "go" ? decision.as : decision.kind;
};

describe("what is done about a path", () => {
  it.each([
    ["changed at the source alone", { known: known(file(1)), source: file(2), destination: file(1) }, "update"],
    ["changed at the destination alone", { known: known(file(1)), source: file(1), destination: file(2) }, "stays"],
    ["changed at both", { known: known(file(1)), source: file(2), destination: file(3) }, "conflict"],
    ["changed alike", { known: known(file(1)), source: file(2), destination: file(2) }, "agreed"],
    ["new at the source", { source: file(1) }, "create"],
    ["new at the destination", { destination: file(1) }, "stays"],
    ["never synced, and different", { source: file(1), destination: file(2) }, "conflict"],
    ["gone at the source, nobody asked", { known: known(file(1)), destination: file(1) }, "stays"],
    ["gone at the source, asked", { known: known(file(1)), destination: file(1), deletes: true }, "delete"],
    ["gone at the source, changed there", { known: known(file(1)), destination: file(2), deletes: true }, "conflict"],
    ["gone there, unchanged at the source", { known: known(file(1)), source: file(1) }, "stays"],
    ["gone there, changed at the source", { known: known(file(1)), source: file(2) }, "conflict"],
    ["gone at both", { known: known(file(1)) }, "gone"],
    ["a link that leads elsewhere", { known: known(link("a")), source: link("b"), destination: link("a") }, "update"],
    ["a folder where a file is", { known: known(file(1)), source: folder, destination: file(1) }, "conflict"],
    ["a cut sync has sent it", { known: known(file(1), file(2)), source: file(3), destination: file(2) }, "update"],
    ["a cut sync has not sent it", { known: known(file(1), file(2)), source: file(3), destination: file(1) }, "update"],
    [
      "a cut first sync has sent it",
      { known: known(undefined, file(2)), source: file(3), destination: file(2) },
      "update",
    ],
    ["a cut first sync has not", { known: known(undefined, file(2)), source: file(3) }, "create"],
    [
      "changed there after a cut sync",
      { known: known(file(1), file(2)), source: file(2), destination: file(3) },
      "stays",
    ],
    [
      "what a cut push was to take, before a pull",
      { known: known(file(1), file(2)), source: file(1), destination: file(2), direction: "pull" as const },
      "stays",
    ],
    [
      "what a cut push was to take, and another change there, before a pull",
      { known: known(file(1), file(2)), source: file(3), destination: file(2), direction: "pull" as const },
      "conflict",
    ],
    ["a device", { source: { ...file(1), type: "other" as const } }, "skip"],
  ])("%s", (_, what, expected) => {
    expect(outcome(what)).toBe(expected);
  });

  it("does not tell apart what everybody may write, which a pull takes away", () => {
    const open = { ...file(1), mode: 0o666 };
    expect(outcome({ known: known(open), source: file(2), destination: { ...open, mode: 0o664 } })).toBe("update");
  });
});
