import { type Client, type GitFileDiff, gitDiff } from "@berth/protocol";
import { type Content, contentsOf } from "../files/content.ts";
import { addressOf, keyOf } from "../files/place.ts";
import type { ChangedFile } from "./groups.ts";

/** How a file differs, or what there is to say instead. */
export type Diff =
  | { readonly kind: "diff"; readonly diff: GitFileDiff }
  /** Git does not know it: all of it is new. */
  | { readonly kind: "new"; readonly content: Content }
  /** It does not differ any more. */
  | { readonly kind: "same" };

export interface WantedDiff {
  readonly sandboxId: string;
  /** The repository's folder. */
  readonly root: string;
  readonly changed: ChangedFile;
}

/** Asks how a file differs. Rejects with `BerthError`. */
export async function readDiff(api: Client, wanted: WantedDiff, signal: AbortSignal): Promise<Diff> {
  const { sandboxId, root, changed } = wanted;
  const { group, file } = changed;
  if (group === "untracked") return { kind: "new", content: await readNew(api, sandboxId, changed, signal) };
  // Git sees that a file was renamed only while it looks at both names: then the whole repository is asked for.
  const place = file.from === undefined ? addressOf(file) : { path: root };
  const query = { ...place, staged: group === "staged" };
  const { files } = await api.call(gitDiff, { params: { id: sandboxId }, query }, { signal });
  const diff = files.find((each) => keyOf(each) === keyOf(file));
  return diff ? { kind: "diff", diff } : { kind: "same" };
}

async function readNew(api: Client, sandboxId: string, { file }: ChangedFile, signal: AbortSignal): Promise<Content> {
  // A folder of which nothing is tracked ends with a slash.
  if (file.path.endsWith("/")) return { kind: "folder" };
  return contentsOf(api, sandboxId).read(file, signal);
}
