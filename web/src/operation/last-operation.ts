const key = (sandboxId: string) => `berth.operation.${sandboxId}`;

/**
 * The operation that this tab last followed on a sandbox. A sandbox names only work that has not ended, and the steps
 * and logs of a failed one are still wanted after a reload.
 */
export function lastOperation(sandboxId: string): string | undefined {
  return sessionStorage.getItem(key(sandboxId)) ?? undefined;
}

/** Its failure was seen, and is not shown again. */
export function forgetOperation(sandboxId: string): void {
  sessionStorage.removeItem(key(sandboxId));
}

export function rememberOperation(sandboxId: string, operationId: string): void {
  sessionStorage.setItem(key(sandboxId), operationId);
}
