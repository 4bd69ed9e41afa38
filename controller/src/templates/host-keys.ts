/**
 * The SSH host keys that a container was made with, read from the log of its creation:
 *
 *     Creating SSH host key 'ssh_host_ed25519_key' - this may take some time ...
 *     done: SHA256:… root@name
 *
 * Answers their fingerprints, the last of each kind.
 */
export function hostKeysOf(log: readonly string[]): string[] {
  const found = new Map<string, string>();
  let kind: string | undefined;
  for (const line of log) {
    kind = /^Creating SSH host key '(ssh_host_[a-z0-9]+_key)'/.exec(line)?.[1] ?? kind;
    const fingerprint = /^done: (SHA256:[A-Za-z0-9+/]{43}) /.exec(line)?.[1];
    if (fingerprint === undefined || kind === undefined) continue;
    found.set(kind, fingerprint);
    kind = undefined;
  }
  return [...found.values()];
}
