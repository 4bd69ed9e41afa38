import type { ProgramEnd, SshUser } from "./ssh-user.ts";

/** A program of OpenSSH's, or on it, that carries folders: to the place that ssh calls `host`, and back from there. */
export interface FileProgram {
  out(user: SshUser, from: string, host: string, to: string): Promise<ProgramEnd>;
  back(user: SshUser, host: string, from: string, to: string): Promise<ProgramEnd>;
  /**
   * The folders of an odd tree that it does not carry as they are, by its own nature: scp follows links and stumbles over
   * those that lead to no file, sftp leaves links out, and the old protocol of scp writes a line's end in a name otherwise.
   */
  readonly changes: readonly string[];
}

const enough = { timeoutMs: 170_000 };

const scp = (options: readonly string[], changes: readonly string[]): FileProgram => ({
  out: (user, from, host, to) =>
    user.run("scp", ["-q", ...options, ...user.options, "-rp", from, `${host}:${to}`], "", enough),
  back: (user, host, from, to) =>
    user.run("scp", ["-q", ...options, ...user.options, "-rp", `${host}:${from}`, to], "", enough),
  changes,
});

const sftp = (user: SshUser, host: string, batch: string) =>
  user.run("sftp", ["-q", ...user.options, "-b", "-", host], `${batch}\n`, enough);

const rsync = (user: SshUser, from: string, to: string) =>
  user.run("rsync", ["-aS", "-e", `ssh -F ${user.configFile}`, `${from}/`, `${to}/`], "", enough);

/** Each by the name that tests have for it. */
export const filePrograms = {
  scp: scp([], ["links"]),
  "scp of the old protocol": scp(["-O"], ["links", "lines"]),
  sftp: {
    out: (user, from, host, to) => sftp(user, host, `put -rp ${from} ${to}`),
    back: (user, host, from, to) => sftp(user, host, `get -rp ${from} ${to}`),
    changes: ["links"],
  },
  rsync: {
    out: (user, from, host, to) => rsync(user, from, `${host}:${to}`),
    back: (user, host, from, to) => rsync(user, `${host}:${from}`, to),
    changes: [],
  },
} satisfies Record<string, FileProgram>;
