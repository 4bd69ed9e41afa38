/**
 * What is run in a sandbox to look for work that is nowhere else, and to copy it: as `sandbox-scripts`. Beside the
 * workspace's own repository, those in its folders count, which somebody has cloned or begun there.
 */

/** The host's worktree, whose commits are the remote `host` here, may go with the sandbox. */
const elsewhere = "--exclude='host/*' --remotes";
const differing = "--binary --full-index --no-color --no-ext-diff --no-textconv --ignore-submodules=none";
const changed = "status --porcelain -z --no-renames --untracked-files=normal --ignore-submodules=none";

/**
 * Does something in each repository below the workspace, with `$at` as its path from there and `$whole` as whether it has
 * branches of its own: a worktree or submodule has those of another. As deep as the agent looks (`repositories-below`);
 * what is broken is passed over, and is not taken for the repository around it.
 */
function inEachBelow(work: string): string {
  return `export root="$PWD"
find . -maxdepth 4 \\( -name node_modules -o -path ./.berth -o -path ./.git \\) -prune -o -name .git -prune -exec sh -c '
for at do
  at=\${at#./}
  at=\${at%/.git}
  export at
  cd "$root/$at" 2>/dev/null || continue
  export GIT_CEILING_DIRECTORIES="\${PWD%/*}"
  git rev-parse --git-dir > /dev/null 2>&1 || continue
  if [ -d .git ]; then whole=1; else whole=; fi
${work}done' sh {} + || true
`;
}

/** Quotes of its own end the ones that it stands in. */
const nested = (text: string) => text.replaceAll("'", `'\\''`);

/**
 * What nobody else has: of each repository below a line `+ COMMITS STASHES FILES PATH`, then of the workspace's own four
 * lines of counts (or `none`), and the changed files, each ending with a NUL.
 */
export const unsavedScript = `cd "$1" || exit 3
export GIT_OPTIONAL_LOCKS=0
${inEachBelow(
  nested(`  commits=0 stashes=0
  if [ $whole ]; then
    head=$(git rev-parse -q --verify HEAD) || head=
    commits=$(git rev-list --count $head --branches --not ${elsewhere}) || continue
    stashes=$(git rev-list -g --count refs/stash 2>/dev/null) || stashes=0
  fi
  files=$(git -c core.fsmonitor=false ${changed} | tr -dc '\\000' | wc -c) || continue
  [ "$commits$stashes$((files))" = 000 ] || printf '+ %s %s %s %s\\n' "$commits" "$stashes" "$((files))" "$(printf %s "$at" | tr '\\n' ' ')"
`),
)}if [ ! -e .git ]; then echo none; exit 0; fi
head=$(git rev-parse -q --verify HEAD) || head=
commits=$(git rev-list --count $head --branches --not ${elsewhere}) || exit 4
stashes=$(git rev-list -g --count refs/stash 2>/dev/null) || stashes=0
files=$(git -c core.fsmonitor=false ${changed} | tr -dc '\\000' | wc -c) || exit 4
echo repository
echo "$commits"
echo "$stashes"
echo "$files"
git -c core.fsmonitor=false ${changed} | head -c 8192
`;

/** Begins a copy of the workspace's own repository. */
const ifOwn = "if [ ! -e .git ]; then exit 0; fi";

/** The commits that no remote has, as a bundle; nothing where there are none. */
export const bundleScript = `set -eu
cd "$1"
${ifOwn}
head=$(git rev-parse -q --verify HEAD) || head=
stash=$(git rev-parse -q --verify refs/stash) || stash=
[ "$(git rev-list --count $head $stash --branches --not ${elsewhere})" != 0 ] || exit 0
refs=
[ -z "$head" ] || refs=HEAD
[ -z "$stash" ] || refs="$refs refs/stash"
git bundle create -q - $refs --branches --not ${elsewhere}
`;

/** A tar of such bundles of the repositories below, each at the path of its own; nothing where there are none. */
export const bundlesScript = `set -eu
cd "$1"
bundles=$(mktemp -d)
export bundles
trap 'rm -rf "$bundles"' EXIT
${inEachBelow(
  nested(`  [ $whole ] || continue
  head=$(git rev-parse -q --verify HEAD) || head=
  stash=$(git rev-parse -q --verify refs/stash) || stash=
  [ "$(git rev-list --count $head $stash --branches --not ${elsewhere})" != 0 ] || continue
  refs=
  [ -z "$head" ] || refs=HEAD
  [ -z "$stash" ] || refs="$refs refs/stash"
  mkdir -p "$bundles/$at"
  git bundle create -q "$bundles/$at.bundle" $refs --branches --not ${elsewhere} || : > "$bundles/.failed"
`),
)}[ ! -e "$bundles/.failed" ] || exit 4
find "$bundles" -name '*.bundle' | grep -q . || exit 0
cd "$bundles"
find . -name '*.bundle' -print0 | tar --create --file=- --null --verbatim-files-from --no-recursion --files-from=-
`;

/** The uncommitted changes of files that git knows, staged or not, against the last commit; from the workspace on. */
export const patchScript = `set -eu
cd "$1"
export GIT_OPTIONAL_LOCKS=0
if [ -e .git ]; then
  head=$(git rev-parse -q --verify HEAD) || head=$(git hash-object -t tree --stdin < /dev/null)
  git -c core.fsmonitor=false diff ${differing} "$head" --
fi
${inEachBelow(
  nested(`  head=$(git rev-parse -q --verify HEAD) || head=$(git hash-object -t tree --stdin < /dev/null)
  git -c core.fsmonitor=false diff ${differing} --src-prefix="a/$at/" --dst-prefix="b/$at/" "$head" --
`),
)}`;

/** The files that git does not know and does not ignore, as a tar; nothing where there are none. */
export const untrackedScript = `set -eu
cd "$1"
list() {
  if [ -e .git ]; then git ls-files -z --others --exclude-standard; fi
${inEachBelow(
  nested(`  git ls-files -z --others --exclude-standard | perl -0 -pe 'print "$ENV{at}/"'
`),
)}}
[ -n "$(list | head -c 1)" ] || exit 0
list | tar --create --file=- --null --verbatim-files-from --no-recursion --ignore-failed-read --files-from=-
`;
