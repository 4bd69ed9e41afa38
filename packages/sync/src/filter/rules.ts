import type { RawPath } from "../raw-path.ts";
import { ownFolder, partialFolder } from "../side.ts";
import { exactRule, rsyncRules } from "./git-pattern.ts";

/** A `.gitignore` or `.berthignore` of the tree. */
export interface IgnoreFile {
  /** The folder that it is in. */
  readonly folder: RawPath;
  readonly kind: "git" | "berth";
  /** Its bytes, as latin1. */
  readonly text: string;
}

/** What a sync leaves out. */
export interface FilterOptions {
  /** More lines as of a `.gitignore` at the top; they come before all others. */
  readonly excludes: readonly string[];
  /** Whether `.gitignore` counts. `.berthignore` does in any case. */
  readonly gitignore: boolean;
  readonly defaultExcludes: boolean;
  /** Whether repositories (`.git`) are taken along. */
  readonly git: boolean;
}

/**
 * What can be made again from the rest, is large, or belongs to one machine. A `.berthignore` may take any of it along:
 * `!node_modules`.
 */
export const defaultExcludes: readonly string[] = [
  ...["node_modules/", "bower_components/", ".pnpm-store/", ".yarn/cache/", ".npm/"],
  ...["__pycache__/", "*.pyc", ".venv/", "venv/", ".tox/", ".nox/", ".mypy_cache/", ".pytest_cache/", ".ruff_cache/"],
  ...[".gradle/", ".next/", ".nuxt/", ".turbo/", ".parcel-cache/", ".svelte-kit/", ".terraform/", ".direnv/"],
  ...["target/debug/", "target/release/", ".DS_Store", "Thumbs.db", "*.swp", ".nfs*"],
];

/** Folders in which nobody looks for ignore files. */
export const passedOver: ReadonlySet<string> = new Set([
  ".git",
  ownFolder,
  partialFolder,
  "node_modules",
  "__pycache__",
]);

/** All rules for rsync, in its order: the first that matches counts. `leftovers`: paths that are left out beside. */
export function filterRules(
  files: readonly IgnoreFile[],
  options: FilterOptions,
  leftovers: readonly RawPath[] = [],
): string[] {
  const own = [`- /${ownFolder}`, `- ${partialFolder}`, ...leftovers.map(exactRule)];
  // A lock of git's that is taken along would never be released.
  const git = options.git ? ["- .git/**.lock"] : ["- .git"];
  const counted = files.filter(({ kind }) => kind === "berth" || options.gitignore);
  const depth = ({ folder }: IgnoreFile) => (folder === "" ? 0 : folder.split("/").length);
  // Deeper ones come before those above them; in one folder Berth's own before git's.
  const ordered = counted.toSorted((one, other) => depth(other) - depth(one) || (one.kind < other.kind ? -1 : 1));
  return [
    ...own,
    ...git,
    ...fromLines(
      options.excludes.map((line) => Buffer.from(line, "utf8").toString("latin1")),
      "",
    ),
    ...ordered.flatMap(({ text, folder }) => fromLines(text.split("\n"), folder)),
    ...(options.defaultExcludes ? fromLines(defaultExcludes, "") : []),
  ];
}

function fromLines(lines: readonly string[], folder: RawPath): string[] {
  return lines.toReversed().flatMap((line) => rsyncRules(line.replace(/\r$/, ""), folder));
}
