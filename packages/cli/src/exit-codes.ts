import { type ErrorCode, errorRegistry, isErrorCode } from "@berth/protocol";

/** What the command ends with; documented in `berth --help` and the README, so that scripts can rely on it. */
export const exitCodes = {
  ok: 0,
  failed: 1,
  usage: 2,
  notFound: 3,
  denied: 4,
  conflict: 5,
  unreachable: 6,
  interrupted: 130,
} as const;

export const exitCodeHelp = `Exit codes:
  0    done
  1    failed: the work itself, or something in Berth
  2    wrong usage, or a request that the controller finds invalid
  3    there is no such thing
  4    not signed in, or not allowed
  5    does not fit the present state: the name is taken, the sandbox is not ready
  6    the controller, or what it needs, cannot be reached
  130  interrupted by Ctrl-C
  exec and ssh end with the exit code of the program that they ran (128 and more: a signal ended it; ssh's own is 255).`;

/** Reasons of work alone, which no call is refused for. */
const failures: Readonly<Record<string, number>> = {
  cannot_sleep: exitCodes.conflict,
  container_locked: exitCodes.conflict,
  in_use: exitCodes.conflict,
  snapshot_exists: exitCodes.conflict,
  node_offline: exitCodes.unreachable,
  node_unknown: exitCodes.notFound,
  proxmox_unreachable: exitCodes.unreachable,
};

/** The exit code of work that has failed: as if the call itself had been refused for that reason. */
export function exitCodeOfFailure(code: string): number {
  return isErrorCode(code) ? exitCodeOf(code) : (failures[code] ?? exitCodes.failed);
}

/** The exit code of an error of the API, by its HTTP status: new codes need no new line here. */
export function exitCodeOf(code: ErrorCode): number {
  switch (errorRegistry[code].status) {
    case 401:
    case 403:
      return exitCodes.denied;
    case 404:
      return exitCodes.notFound;
    case 400:
    case 405:
    case 413:
    case 415:
    case 422:
      return exitCodes.usage;
    case 409:
      return exitCodes.conflict;
    case 502:
    case 503:
      return exitCodes.unreachable;
    default:
      return exitCodes.failed;
  }
}
