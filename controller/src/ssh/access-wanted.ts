import type { SandboxRow } from "../sandboxes/record.ts";

/** What of a sandbox's row its certificate says. */
type CertifiedRow = Pick<SandboxRow, "id" | "name" | "address">;

/** The names under which a sandbox may show its host key. */
export function principalsOf({ id, name, address }: CertifiedRow): string[] {
  return [name, id, ...(address === null ? [] : [address])];
}
