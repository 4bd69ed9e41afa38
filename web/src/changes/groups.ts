import type { GitChange, GitFileStatus } from "@berth/protocol";
import { keyOf } from "../files/place.ts";

/** Where a change stands on its way into a commit. */
export type GroupName = "conflicted" | "staged" | "unstaged" | "untracked";

/** A file of a group. One that was staged and then changed again is in two groups. */
export interface ChangedFile {
  readonly group: GroupName;
  readonly key: string;
  readonly file: GitFileStatus;
  /** A letter as git has it: M, A, D, R, C, T; U for a conflict, ? for what is untracked. */
  readonly letter: string;
}

export interface Group {
  readonly name: GroupName;
  readonly files: readonly ChangedFile[];
}

const letters: Record<GitChange, string> = {
  added: "A",
  modified: "M",
  deleted: "D",
  renamed: "R",
  copied: "C",
  typechanged: "T",
};

/** What has changed, by where it stands; groups without a file are left out. */
export function groupsOf(files: readonly GitFileStatus[]): readonly Group[] {
  const of = (name: GroupName, letterOf: (file: GitFileStatus) => string | undefined): Group => ({
    name,
    files: files.flatMap((file) => {
      const letter = letterOf(file);
      return letter === undefined ? [] : [{ group: name, key: `${name} ${keyOf(file)}`, file, letter }];
    }),
  });
  return [
    of("conflicted", ({ state }) => (state === "conflicted" ? "U" : undefined)),
    of("staged", ({ state, staged }) => (state === "changed" && staged ? letters[staged] : undefined)),
    of("unstaged", ({ state, unstaged }) => (state === "changed" && unstaged ? letters[unstaged] : undefined)),
    of("untracked", ({ state }) => (state === "untracked" ? "?" : undefined)),
  ].filter((group) => group.files.length > 0);
}
