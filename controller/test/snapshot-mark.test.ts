import { newId } from "@berth/protocol";
import { describe, expect, it } from "vitest";
import { describeSnapshot, readSnapshotDescription } from "../src/snapshots/mark.ts";

const operationId = newId("operation");

describe("the description of a snapshot", () => {
  it.each(["", "one line", "two\nlines", "a blank\n\nline", "Taken by Berth while it ran (op_x)."])(
    "keeps its owner's words, and tells who took it: %j",
    (words) => {
      for (const running of [true, false]) {
        const description = describeSnapshot(words, { running, operationId });
        // Proxmox gives it back with a newline at its end.
        expect(readSnapshotDescription(`${description}\n`)).toEqual({ words, mark: { running, operationId } });
      }
    },
  );

  it("is somebody else's where it does not say so", () => {
    for (const text of [undefined, "", "by hand", `Taken by Berth while it ran (${operationId}). Or so`])
      expect(readSnapshotDescription(text)).toEqual({ words: text ?? "", mark: undefined });
  });
});
