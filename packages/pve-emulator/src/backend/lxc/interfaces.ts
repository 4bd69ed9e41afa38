import Type from "typebox";
import { Value } from "typebox/value";
import type { ContainerInterface } from "../backend.ts";
import { run } from "./command.ts";

const linksSchema = Type.Array(
  Type.Object({
    ifname: Type.String(),
    address: Type.Optional(Type.String()),
    addr_info: Type.Array(
      Type.Object({ family: Type.String(), local: Type.Optional(Type.String()), prefixlen: Type.Integer() }),
    ),
  }),
);

/** The interfaces in the network namespace of this process: with the machine's `ip`, whatever the container has. */
export async function interfacesIn(pid: number): Promise<readonly ContainerInterface[]> {
  const answer: unknown = JSON.parse(await run("nsenter", ["-t", String(pid), "-n", "--", "ip", "-j", "addr"]));
  if (!Value.Check(linksSchema, answer)) throw new Error("ip answered something else than its list of interfaces");
  return answer.map(({ ifname, address, addr_info: addresses }) => ({
    name: ifname,
    mac: address ?? "00:00:00:00:00:00",
    addresses: addresses.flatMap(({ family, local, prefixlen }) => {
      if (local === undefined || (family !== "inet" && family !== "inet6")) return [];
      return [{ address: local, family, prefix: prefixlen }];
    }),
  }));
}
