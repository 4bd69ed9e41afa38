/**
 * What Berth's calls of git set over any configuration. A repository in a workspace is anybody's: that somebody looks at
 * it here starts no program that its configuration names, asks nobody, and reaches no other machine. Hooks do not run,
 * either, where something is committed from here.
 */
const overridden: Readonly<Record<string, string>> = {
  "core.fsmonitor": "false",
  "core.hooksPath": "/dev/null",
  "core.pager": "cat",
  "core.editor": "false",
  "core.askPass": "",
  "core.sshCommand": "false",
  "core.alternateRefsCommand": "",
  "core.quotePath": "true",
  "credential.helper": "",
  // Otherwise a diff locks the index, to note what it has learned of the files.
  "diff.autoRefreshIndex": "false",
  "diff.external": "",
  "diff.suppressBlankEmpty": "false",
  "log.showSignature": "false",
  "log.follow": "false",
  "commit.gpgSign": "false",
  "gpg.program": "false",
  "gpg.ssh.program": "false",
  "gpg.x509.program": "false",
  "gc.auto": "0",
  "maintenance.auto": "false",
  "submodule.recurse": "false",
  "i18n.logOutputEncoding": "UTF-8",
};

/** What Git LFS sets for itself: programs of the sandbox, and without them its files would look changed. */
const lfsFilters: ReadonlySet<string> = new Set([
  "git-lfs clean -- %f",
  "git-lfs smudge -- %f",
  "git-lfs smudge --skip -- %f",
  "git-lfs filter-process",
  "git-lfs filter-process --skip",
]);

/** One entry of a configuration. */
export type Setting = readonly [key: string, value: string];

/** Settings that switch filters off which a repository itself names as programs. */
export function withoutFilters(filters: readonly Setting[]): Setting[] {
  const settings = new Map<string, string>();
  for (const [key, value] of filters) {
    const match = /^(filter\..*)\.(clean|smudge|process)$/is.exec(key);
    if (!match || lfsFilters.has(value)) continue;
    settings.set(key, "");
    settings.set(`${match[1]}.required`, "false");
  }
  return [...settings];
}

/** The environment that makes a git obey these settings, and no others. */
export function gitEnvironment(
  env: Readonly<Record<string, string>>,
  more: readonly Setting[],
): Record<string, string> {
  const settings = [...Object.entries(overridden), ...more];
  const numbered = settings.flatMap(([key, value], index) => [
    [`GIT_CONFIG_KEY_${index}`, key],
    [`GIT_CONFIG_VALUE_${index}`, value],
  ]);
  return {
    ...env,
    // The repository was found without git, which would go on in the folders above, and obey a configured work tree.
    GIT_DIR: ".git",
    GIT_WORK_TREE: ".",
    GIT_LITERAL_PATHSPECS: "1",
    GIT_TERMINAL_PROMPT: "0",
    // Above all settings of single protocols: a repository that lacks objects could name a program that fetches them.
    GIT_ALLOW_PROTOCOL: "none",
    GIT_NO_LAZY_FETCH: "1",
    GIT_CONFIG_COUNT: String(settings.length),
    ...Object.fromEntries(numbered),
  };
}
