/**
 * The configuration of every run of git on the controller's side. A mirror has contents that a sandbox wrote, and a
 * worktree shows them: nothing of that may run, and what comes is checked before it is kept.
 */
export function configText(credentialHelper: string | undefined): string {
  const helper = credentialHelper === undefined ? "" : `\thelper = ${quoted(credentialHelper)}\n`;
  return `${fixed}[credential]\n${helper}`;
}

/** Old and common in honest histories, and harmless. */
const harmless = [
  "zeroPaddedFilemode",
  "badTimezone",
  "missingSpaceBeforeDate",
  "badDateOverflow",
  "nullSha1",
  "badFilemode",
]
  .map((name) => `\t${name} = ignore\n`)
  .join("");

const fixed = `[core]
\thooksPath = /dev/null
\tattributesFile = /dev/null
\texcludesFile = /dev/null
\tfsmonitor = false
\tsymlinks = false
\tprotectHFS = true
\tprotectNTFS = true
\taskPass = false
\tpager = cat
[safe]
\tdirectory = *
[transfer]
\tfsckObjects = true
[fetch]
\tfsckObjects = true
\trecurseSubmodules = false
\tunpackLimit = 1
\twriteCommitGraph = false
[fetch "fsck"]
${harmless}[receive]
\tunpackLimit = 1
\tautogc = false
\tadvertiseAtomic = false
\tadvertisePushOptions = false
\tupdateServerInfo = false
[receive "fsck"]
${harmless}[push]
\trecurseSubmodules = no
\tdefault = nothing
\tfollowTags = false
[submodule]
\trecurse = false
[gc]
\tauto = 0
[maintenance]
\tauto = false
[http]
\tlowSpeedLimit = 1000
\tlowSpeedTime = 60
\t# A credential is for the host that it was given for.
\tfollowRedirects = initial
[ssh]
\tvariant = ssh
[init]
\ttemplateDir =
\tdefaultBranch = main
[user]
\tname = Berth
\temail = berth@localhost
[diff]
\tignoreSubmodules = all
[advice]
\tdetachedHead = false
`;

/** A value of git's configuration. */
function quoted(value: string): string {
  return `"${value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")}"`;
}
