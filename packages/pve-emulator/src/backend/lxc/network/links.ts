import Type, { type Static } from "typebox";
import { Value } from "typebox/value";
import { inside, run } from "./commands.ts";
import { type AddressBlock, parseBlock } from "./subnet.ts";

const linksSchema = Type.Array(
  Type.Object({
    ifname: Type.String(),
    ifindex: Type.Integer(),
    /** Of a veth: the other end's `ifindex`, in the other end's namespace. */
    link_index: Type.Optional(Type.Integer()),
    linkinfo: Type.Optional(Type.Object({ info_kind: Type.Optional(Type.String()) })),
    addr_info: Type.Array(
      Type.Object({
        family: Type.String(),
        local: Type.Optional(Type.String()),
        prefixlen: Type.Optional(Type.Integer()),
      }),
    ),
  }),
);
/** A network interface, as `ip` tells it. */
export type Link = Static<typeof linksSchema>[number];

const routesSchema = Type.Array(Type.Object({ dst: Type.String(), dev: Type.Optional(Type.String()) }));

/** The interfaces of a namespace, or of the machine. */
export async function listLinks(namespacePath?: string): Promise<readonly Link[]> {
  const argv = ["ip", "-json", "-details", "address", "show"];
  const printed = await run(namespacePath === undefined ? argv : inside(namespacePath, argv));
  // With no interface at all it prints nothing.
  return Value.Parse(linksSchema, JSON.parse(printed.trim() || "[]"));
}

/** The IPv4 networks and addresses that the machine knows a way to, but for those on one interface of our own. */
export async function routedBlocks(except: string): Promise<readonly AddressBlock[]> {
  const printed = await run(["ip", "-json", "-4", "route", "show", "table", "all"]);
  const routes = Value.Parse(routesSchema, JSON.parse(printed.trim() || "[]"));
  return routes.filter(({ dst, dev }) => dst !== "default" && dev !== except).map(({ dst }) => parseBlock(dst));
}

/** Runs lines of `ip -batch` with a namespace's interfaces, or the machine's; stops at the first that fails. */
export async function configure(lines: readonly string[], namespacePath?: string): Promise<void> {
  if (lines.length === 0) return;
  const argv = ["ip", "-batch", "-"];
  await run(namespacePath === undefined ? argv : inside(namespacePath, argv), `${lines.join("\n")}\n`);
}

/** Lines that make this the interface's only IPv4 address, and the interface work. */
export function addressLines(link: Link | undefined, name: string, address: string): readonly string[] {
  const others = (link?.addr_info ?? [])
    .filter(({ family }) => family === "inet")
    .map(({ local, prefixlen }) => `${local}/${prefixlen}`)
    .filter((one) => one !== address);
  return [
    ...others.map((other) => `address del ${other} dev ${name}`),
    `address replace ${address} dev ${name}`,
    `link set dev ${name} up`,
  ];
}
