import type { ProxmoxFailure } from "./failure.ts";

/** What the server said when it refused. */
export interface Refusal {
  readonly status: number;
  /** The reason phrase, or the body's `message` where that says more. */
  readonly detail: string;
  /** The body's `errors`: parameter to text. */
  readonly errors: Readonly<Record<string, string>>;
  /** Who asked: `user@realm` or `user@realm!token`. */
  readonly principal: string;
}

/** Names the failure that a refusal (any status but 2xx) tells. */
export function failureOfRefusal(refusal: Refusal): ProxmoxFailure {
  const { status, detail, errors, principal } = refusal;
  if (status === 401) return { kind: "unauthorized", detail, principal };
  if (status === 403) return { kind: "forbidden", detail, principal, ...missingPrivilege(detail) };
  if (status === 595) return { kind: "node_offline", detail };
  if (status >= 300 && status < 400) return { kind: "protocol", detail: `a redirect (${status} ${detail})` };
  const told = failureOfText(detail);
  if (status === 400 && told.kind === "other") return { kind: "invalid", detail, errors };
  return told;
}

/** What is said of a text alone: Proxmox has no codes, so a task's exit status and a 500's reason read the same. */
export function failureOfText(detail: string): ProxmoxFailure {
  const lock = /\b(?:CT|VM|container) is locked \(([^)]+)\)/i.exec(detail)?.[1];
  if (lock !== undefined) return { kind: "locked", detail, lock };
  if (/can't lock file .* - got timeout|got lock request timeout/.test(detail)) return { kind: "lock_timeout", detail };
  const taken = /\b(?:CT|VM) (\d+) already exists/.exec(detail)?.[1];
  if (taken !== undefined) return { kind: "exists", detail, vmid: Number(taken) };
  const absent = /Configuration file '[^']*\/(\d+)\.conf' does not exist/i.exec(detail)?.[1];
  if (absent !== undefined) return { kind: "missing", detail, vmid: Number(absent) };
  if (/detected modified configuration/.test(detail)) return { kind: "modified", detail };
  if (/protection mode enabled/.test(detail)) return { kind: "protected", detail };
  if (/\b(?:CT|VM) \d+ already running|- container is running|if the CT is running/.test(detail))
    return { kind: "running", detail };
  if (/\b(?:CT|VM) \d+ not running/.test(detail)) return { kind: "not_running", detail };
  return { kind: "other", detail };
}

/** Reads `Permission check failed (/vms/150, VM.Clone)`; some messages have neither path nor privilege. */
function missingPrivilege(detail: string): { objectPath: string | undefined; privileges: readonly string[] } {
  const match = /\((\/[^,)]*)(?:,\s*([^)]*))?\)/.exec(detail);
  const privileges = (match?.[2] ?? "").split(/[|,\s]+/).filter((word) => /^[A-Z]\w*\.[\w.]+$/.test(word));
  return { objectPath: match?.[1], privileges };
}
