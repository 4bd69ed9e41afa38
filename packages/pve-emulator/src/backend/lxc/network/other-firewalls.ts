import Type from "typebox";
import { Value } from "typebox/value";
import { run } from "./commands.ts";
import type { NetworkNames } from "./names.ts";

const chainsSchema = Type.Object({
  nftables: Type.Array(
    Type.Object({
      chain: Type.Optional(
        Type.Object({
          family: Type.String(),
          table: Type.String(),
          name: Type.String(),
          hook: Type.Optional(Type.String()),
          policy: Type.Optional(Type.String()),
        }),
      ),
    }),
  ),
});

/**
 * Says of other firewalls of the machine, such as Docker's and ufw's, that they may stand in the containers' way: no
 * rule of ours can let pass what they drop, and changing theirs is not ours. One line each, with the cure.
 */
export async function otherFirewalls(names: NetworkNames, isolated: boolean): Promise<readonly string[]> {
  // This is advice only: an nft that was built without JSON gives none.
  const printed = await run(["nft", "--json", "list", "chains"]).catch(() => '{"nftables":[]}');
  const { nftables } = Value.Parse(chainsSchema, JSON.parse(printed));
  const lines: string[] = [];
  for (const { chain } of nftables) {
    if (chain?.policy !== "drop" || !["ip", "inet"].includes(chain.family)) continue;
    const place = `${chain.family} ${chain.table} ${chain.name}`;
    const advice = `the machine's firewall drops what it does not know (${place}): if containers do not`;
    if (chain.hook === "input") lines.push(`${advice} reach the machine, allow what comes from ${names.link} there`);
    if (chain.hook === "forward" && !isolated)
      lines.push(`${advice} get out, allow what comes from ${names.link} there`);
  }
  return lines;
}
