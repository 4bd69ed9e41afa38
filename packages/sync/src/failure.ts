/** Why a sync could not be done, or not wholly. */
export type SyncFailureCode =
  | "cancelled"
  | "disk_full"
  | "unreachable"
  | "host_key_mismatch"
  | "refused"
  | "missing_folder"
  | "not_allowed"
  | "too_much"
  | "partial"
  | "failed";

/** A sync has ended early, or some of it was left out. What was done before stays done, and the next run goes on. */
export class SyncFailure extends Error {
  override readonly name = "SyncFailure";
  readonly code: SyncFailureCode;
  /** What to do, one sentence. */
  readonly hint: string | undefined;

  constructor(code: SyncFailureCode, message: string, more: { hint?: string; cause?: unknown } = {}) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.code = code;
    this.hint = more.hint;
  }
}

/** What the words of ssh or rsync mean, whose exit code alone says little. */
export function failureOf(program: string, code: number | null, words: string): SyncFailure {
  const said = words.trim().split("\n").slice(-3).join(" ").slice(0, 500);
  const told = `${program} ended with ${code ?? "a signal"}${said === "" ? "" : `: ${said}`}`;
  if (/No space left on device|Disk quota exceeded/.test(words)) {
    return new SyncFailure("disk_full", `No space is left: ${said}`, {
      hint: "Make room on that side; the next sync goes on where this one ended.",
    });
  }
  if (/HOST IDENTIFICATION HAS CHANGED|Host key verification failed/.test(words)) {
    return otherHostKey();
  }
  if (/Permission denied \(publickey/.test(words)) {
    return new SyncFailure("refused", "The SSH key was refused.", { hint: "Restart the sandbox to renew its keys." });
  }
  if (
    code === 255 ||
    /Connection (refused|closed|reset|timed out)|unexpectedly closed|Broken pipe|timeout/i.test(words)
  ) {
    return new SyncFailure("unreachable", `The connection was cut: ${reasonIn(words) ?? told}.`, {
      hint: "The next sync goes on.",
    });
  }
  if (code === 23 || code === 24) {
    return new SyncFailure("partial", `Some of it could not be transferred: ${said}`, {
      hint: "Look at the names above: mostly rights are missing, or the files changed meanwhile.",
    });
  }
  return new SyncFailure("failed", `${told}.`);
}

/** What ssh itself says, or else rsync, without the place in rsync's source. */
function reasonIn(words: string): string | undefined {
  const lines = words.split(/[\r\n]+/).map((line) => line.trim());
  const found = lines.find((line) => line.startsWith("ssh: ")) ?? lines.find((line) => /^rsync: /.test(line));
  return found?.replace(/ \([^()]*bytes received so far\).*$/, "").slice(0, 300);
}

/** Who answers is not whom the host key was pinned of. */
export function otherHostKey(): SyncFailure {
  return new SyncFailure("host_key_mismatch", "Another SSH host key is shown than the one that was pinned.", {
    hint: "Something else answers at this address: look before you connect to it.",
  });
}
