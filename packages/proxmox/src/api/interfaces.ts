import Type, { type Static } from "typebox";
import { type AnsweredCall, answerOf, NumberLike } from "../answer.ts";

const InterfaceSchema = Type.Object({
  name: Type.String(),
  hwaddr: Type.Optional(Type.String()),
  "hardware-address": Type.Optional(Type.String()),
  inet: Type.Optional(Type.String()),
  inet6: Type.Optional(Type.String()),
  "ip-addresses": Type.Optional(
    Type.Array(
      Type.Object({
        "ip-address": Type.String(),
        "ip-address-type": Type.String(),
        prefix: Type.Optional(NumberLike),
      }),
    ),
  ),
});

/** One address of a container, as seen from the host. */
export interface ContainerAddress {
  /** `eth0`, `lo`, … */
  readonly interface: string;
  /** Lower-case MAC address. */
  readonly mac: string | undefined;
  readonly family: 4 | 6;
  /** Without the prefix length. */
  readonly address: string;
  readonly prefixLength: number | undefined;
}

const read = answerOf(Type.Union([Type.Null(), Type.Array(InterfaceSchema)]));

/** Reads the list of interfaces; null (stopped, or no such container) is no address. An AnswerReader. */
export function readInterfaces(data: unknown, call: AnsweredCall): ContainerAddress[] {
  return (read(data, call) ?? []).flatMap(addressesOf);
}

/** `ip-addresses` has them all; servers before PVE 8.3 have only `inet` and `inet6`, one of each. */
function addressesOf(raw: Static<typeof InterfaceSchema>): ContainerAddress[] {
  const owner = { interface: raw.name, mac: (raw.hwaddr ?? raw["hardware-address"])?.toLowerCase() };
  const listed = raw["ip-addresses"];
  if (listed && listed.length > 0) {
    return listed.map((entry) => ({
      ...owner,
      family: entry["ip-address"].includes(":") ? 6 : 4,
      address: entry["ip-address"],
      prefixLength: entry.prefix === undefined ? undefined : Number(entry.prefix),
    }));
  }
  return [raw.inet, raw.inet6].flatMap((cidr) => {
    if (cidr === undefined || cidr === "") return [];
    const [address = "", prefix] = cidr.split("/");
    const prefixLength = prefix === undefined ? undefined : Number(prefix);
    return [{ ...owner, family: address.includes(":") ? 6 : 4, address, prefixLength } as const];
  });
}
