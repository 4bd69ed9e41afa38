/** What the description of a snapshot says that Berth took, beside its owner's own words. */
export interface SnapshotMark {
  /** Whether the sandbox ran at that time. */
  readonly running: boolean;
  /** The operation that it was asked for with. */
  readonly operationId: string;
}

const marker = /(?:^|\n\n)Taken by Berth while it (ran|was stopped) \((op_[0-9a-z]{20})\)\.\n?$/;

/** A description that says who took the snapshot: it outlives the database, and a task whose end was not seen. */
export function describeSnapshot(words: string, { running, operationId }: SnapshotMark): string {
  const said = words.trim();
  const sentence = `Taken by Berth while it ${running ? "ran" : "was stopped"} (${operationId}).`;
  return said === "" ? sentence : `${said}\n\n${sentence}`;
}

/** The owner's words of a description, and who took the snapshot if Berth did. */
export function readSnapshotDescription(text: string | undefined): { words: string; mark: SnapshotMark | undefined } {
  const description = (text ?? "").trimEnd();
  const match = marker.exec(description);
  if (!match?.[2]) return { words: description, mark: undefined };
  return { words: description.slice(0, match.index), mark: { running: match[1] === "ran", operationId: match[2] } };
}
