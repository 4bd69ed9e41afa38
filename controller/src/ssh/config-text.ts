/** What an OpenSSH client needs to know of one sandbox. */
export interface OpenSshFacts {
  /** The name that the client is given for it, and under which its host key is known. */
  readonly alias: string;
  readonly host: string;
  readonly port: number;
  readonly username: string;
  /** Absolute paths of files. */
  readonly identityFile: string;
  readonly knownHostsFile: string;
}

/**
 * The whole configuration of an OpenSSH client for one sandbox (`ssh -F FILE ALIAS`, ssh_config(5)): nothing of the
 * system's or of the user's counts beside it. The host key is known by the alias, so the address may change. Throws a
 * `RangeError` for a path that cannot be written in it.
 */
export function openSshConfig(facts: OpenSshFacts): string {
  const lines = [
    `HostName ${facts.host}`,
    `HostKeyAlias ${facts.alias}`,
    `Port ${facts.port}`,
    `User ${facts.username}`,
    `IdentityFile ${quotedPath(facts.identityFile)}`,
    "IdentitiesOnly yes",
    "IdentityAgent none",
    "PreferredAuthentications publickey",
    "BatchMode yes",
    "StrictHostKeyChecking yes",
    `UserKnownHostsFile ${quotedPath(facts.knownHostsFile)}`,
    "GlobalKnownHostsFile /dev/null",
    "HostKeyAlgorithms ssh-ed25519",
    "UpdateHostKeys no",
    "ClearAllForwardings yes",
    "ForwardAgent no",
    "PermitLocalCommand no",
    "RequestTTY no",
    "Compression no",
    "ConnectTimeout 10",
    // A sandbox that is gone without a word is noticed within 45 seconds.
    "ServerAliveInterval 15",
    "ServerAliveCountMax 3",
    "LogLevel ERROR",
  ];
  return `Host ${facts.alias}\n${lines.map((line) => `  ${line}\n`).join("")}`;
}

/** OpenSSH expands `%` and `${NAME}` in paths, and knows no way to write a quote or a line's end. */
function quotedPath(path: string): string {
  if (/["\n\r\0]|\$\{/.test(path)) throw new RangeError(`OpenSSH cannot be told the path ${JSON.stringify(path)}`);
  return `"${path.replaceAll("%", "%%")}"`;
}
