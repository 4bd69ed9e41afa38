import { guestPaths } from "@berth/protocol";

/**
 * What is run in a sandbox, by its own shell, as the user of its terminals. Fixed texts: the workspace's path is their
 * first argument, whatever else they need comes as lines of their standard input. What a repository there configures may
 * run there, as it does for its user.
 */

/** Has git in the repository reach its `origin` by the agent: the URL stays as people know it. */
const byAgent = `helper="\${1%/workspace}/${guestPaths.gitRemote}"
git config remote.origin.vcs berth
git config alias.remote-berth "!sh '$(printf %s "$helper" | sed "s/'/'\\\\\\\\''/g")'"
`;

/**
 * Makes the workspace a repository whose `origin` is the project's remote. Lines: URL, name and address of the author,
 * and `asked`, or something else where they count only if git knows of no others.
 */
export const prepareScript = `set -eu
cd "$1"
IFS= read -r url
IFS= read -r name
IFS= read -r email
IFS= read -r asked
rm -f .git/index.lock .git/HEAD.lock .git/config.lock
[ -e .git ] || git init -q
git config remote.origin.url "$url"
git config --replace-all remote.origin.fetch '+refs/heads/*:refs/remotes/origin/*'
if [ "$asked" = asked ] || ! git config --get user.email > /dev/null; then
  git config user.name "$name"
  git config user.email "$email"
fi
${byAgent}`;

/** The same for a workspace that was filled before Berth had this. */
export const byAgentScript = `set -eu
cd "$1"
[ -e .git/berth-filled ] || exit 0
${byAgent}`;

/**
 * Checks the sandbox's branch out, once. Lines: the branch, its base's name on the remote or nothing, the remote's default
 * branch or nothing. Nothing that somebody has made there since is overwritten: a workspace that was filled is left alone.
 */
export const checkOutScript = `set -eu
cd "$1"
IFS= read -r branch
IFS= read -r base
IFS= read -r default
[ ! -e .git/berth-filled ] || exit 0
git config "branch.$branch.remote" origin
git config "branch.$branch.merge" "refs/heads/$branch"
if [ -n "$default" ]; then git symbolic-ref refs/remotes/origin/HEAD "refs/remotes/origin/$default"; fi
if [ -n "$base" ]; then
  git config berth.base "origin/$base"
  git checkout -q -f --no-track -B "$branch" "refs/remotes/origin/$base" --
else
  git symbolic-ref HEAD "refs/heads/$branch"
fi
: > .git/berth-filled
`;

/**
 * In a copy of a sandbox: goes on in a branch of its own, with the files and the index as they are. Lines: the branch.
 * Once it is there, whatever is checked out since is left alone.
 */
export const branchOffScript = `set -eu
cd "$1"
IFS= read -r branch
[ -e .git ] || exit 0
rm -f .git/index.lock .git/HEAD.lock .git/config.lock
[ "$(git config --get berth.branchedOff || true)" != "$branch" ] || exit 0
git config "branch.$branch.remote" origin
git config "branch.$branch.merge" "refs/heads/$branch"
if git rev-parse -q --verify HEAD > /dev/null; then git branch -q -f --no-track "$branch" HEAD; fi
git symbolic-ref HEAD "refs/heads/$branch"
git config berth.branchedOff "$branch"
`;
