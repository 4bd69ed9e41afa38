import { everyPrivilege } from "../doctor/needs.ts";

/** What Berth's token and pool are called where nobody says otherwise. */
export const usualNames = { tokenId: "berth@pve!berth", pool: "sandboxes" } as const;

/**
 * The lines for a shell of a Proxmox host that make a pool, a user, a role and an API token, and give them what Berth
 * needs. Pasted again, they mend what is missing: only the token itself is not shown twice.
 */
export function preparationLines({ tokenId, pool }: { readonly tokenId: string; readonly pool: string }): string {
  const [user = "", token = ""] = tokenId.split("!");
  // Pool.Audit is for the console alone, which offers the pools that there are.
  const privileges = [...everyPrivilege, "Pool.Audit"].join(",");
  const paths = [`/pool/${pool}`, "/storage", "/sdn/zones/localnetwork", "/nodes"];
  return [
    `pveum pool add ${pool}`,
    ...(user.endsWith("@pve") ? [`pveum user add '${quoted(user)}'`] : []),
    "pveum role add Berth",
    `pveum role modify Berth --privs '${privileges}'`,
    ...paths.map((path) => `pveum acl modify ${path} --users '${quoted(user)}' --roles Berth`),
    `pveum user token add '${quoted(user)}' '${quoted(token)}' --privsep 0`,
  ].join("\n");
}

/** For between single quotes of a shell. */
function quoted(text: string): string {
  return text.replaceAll("'", "'\\''");
}
