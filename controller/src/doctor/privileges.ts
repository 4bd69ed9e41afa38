import type { DoctorCheck } from "@berth/protocol";
import type { ProxmoxClient } from "@berth/proxmox";
import { briefly, fine, troubled, unseen } from "./check.ts";
import type { Need } from "./needs.ts";

/** Each privilege that is needed: whether the token has it where it is needed, and the lines that grant it. */
export async function checkPrivileges(
  client: ProxmoxClient,
  tokenId: string,
  needs: readonly Need[],
): Promise<readonly DoctorCheck[]> {
  const checks = await Promise.all(
    needs.map(async (need) => {
      const fix = grantLines(
        tokenId,
        needs.filter(({ path }) => path === need.path),
      );
      try {
        const held = await heldAt(client, need.path);
        return need.privileges.map((privilege) => judge(need, privilege, held.has(privilege), tokenId, fix));
      } catch (error) {
        return need.privileges.map((privilege) => unseen(subjectOf(need, privilege), error));
      }
    }),
  );
  const seen = new Set<string>();
  // Two needs may have a privilege at one path in common: the stricter one comes first.
  return checks.flat().filter(({ id }) => !seen.has(id) && seen.add(id));
}

function subjectOf({ path }: Need, privilege: string) {
  return { id: `privilege:${path}:${privilege}`, title: `${privilege} on ${path}` };
}

async function heldAt(client: ProxmoxClient, path: string): Promise<ReadonlySet<string>> {
  const answer = await client.cluster.permissions(path, briefly());
  return new Set(Object.keys(answer[path] ?? {}));
}

function judge(need: Need, privilege: string, held: boolean, tokenId: string, fix: string): DoctorCheck {
  const subject = subjectOf(need, privilege);
  if (held) return fine(subject, `${tokenId} has it.`);
  const state = need.optional ? "warning" : "failed";
  return troubled(subject, state, `${tokenId} lacks it, and needs it to ${need.purpose}.`, fix);
}

/**
 * The lines that grant everything needed at one path, and not what is missing alone: a grant at a path replaces what is
 * handed down to it from above. A token with privileges of its own has those that its user has, too, so both get them.
 */
function grantLines(tokenId: string, needs: readonly Need[]): string {
  const [user = tokenId] = tokenId.split("!");
  return needs
    .flatMap(({ role, path, privileges }) => {
      const words = `${role} --privs '${privileges.join(",")}'`;
      return [
        `pveum role add ${words} || pveum role modify ${words}`,
        `pveum acl modify ${path} --users '${user}' --roles ${role}`,
        ...(tokenId === user ? [] : [`pveum acl modify ${path} --tokens '${tokenId}' --roles ${role}`]),
      ];
    })
    .join("\n");
}
