import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { temporaryDirectory } from "@berth/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { namesOf, portName, portPrefix } from "../src/backend/lxc/network/names.ts";
import { type NetworkState, withCards } from "../src/backend/lxc/network/network-state.ts";
import { findResolvers } from "../src/backend/lxc/network/resolvers.ts";
import {
  chooseSubnet,
  firstHost,
  formatAddress,
  formatBlock,
  lastHost,
  overlaps,
  parseBlock,
} from "../src/backend/lxc/network/subnet.ts";

describe("the choice of a subnet", () => {
  it("is the same for the same seed, private, aligned, and never in 10.255", () => {
    for (let seed = 0; seed < 500; seed += 1) {
      const subnet = chooseSubnet(String(seed), []);
      expect(subnet).toEqual(chooseSubnet(String(seed), []));
      const text = formatBlock(subnet?.block ?? parseBlock("0.0.0.0"));
      expect(text).toMatch(/^10\.\d+\.\d+\.0\/21$/);
      expect(text.startsWith("10.255.")).toBe(false);
      expect(formatBlock(parseBlock(text))).toBe(text);
    }
  });

  it("avoids what the machine uses, down to the last private network", () => {
    const taken = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/17", "192.168.128.0/18", "192.168.200.1"].map(
      parseBlock,
    );
    const subnet = chooseSubnet("seed", taken);
    expect(subnet && taken.some((other) => overlaps(subnet.block, other))).toBe(false);
    expect(formatAddress(subnet?.machine ?? 0)).toMatch(/^192\.168\./);
    expect(chooseSubnet("seed", [parseBlock("0.0.0.0/0")])).toBeUndefined();
  });

  it("keeps the link apart from the containers, in one block", () => {
    const subnet = chooseSubnet("seed", []);
    if (!subnet) throw new Error("there is no subnet");
    expect(overlaps(subnet.link, subnet.containers)).toBe(false);
    expect(overlaps(subnet.link, subnet.block) && overlaps(subnet.containers, subnet.block)).toBe(true);
    expect(overlaps({ first: subnet.machine, prefix: 32 }, subnet.link)).toBe(true);
  });
});

describe("the names of ports", () => {
  it("fit into the kernel's 15 characters, and differ between emulators, containers and cards", () => {
    const { prefix } = namesOf("/data", "vmbr0");
    expect(portName("bpffffffff", 999_999_999, 31)).toHaveLength(15);
    const names = [portName(prefix, 101, 0), portName(prefix, 101, 1), portName(prefix, 1010, 1)];
    expect(new Set([...names, portName("bp00000000", 101, 0)]).size).toBe(4);
    expect(names.every((name) => name.startsWith(portPrefix(prefix)))).toBe(true);
  });
});

describe("the places of cards", () => {
  const empty: NetworkState = { subnet: "10.0.0.0", nextHost: firstHost, cards: [] };
  const mac = (index: number) =>
    `02:00:00:00:${Math.floor(index / 256)
      .toString(16)
      .padStart(2, "0")}:${(index % 256).toString(16).padStart(2, "0")}`;

  it("stay with their MAC addresses, whatever the case and the container", () => {
    const one = withCards(empty, 101, ["02:00:00:00:00:AA", mac(1)]);
    expect(withCards(one, 101, ["02:00:00:00:00:aa", mac(1)])).toBe(one);
    const moved = withCards(one, 102, [mac(1)]);
    expect(moved.cards.find((card) => card.mac === mac(1))).toMatchObject({ vmid: 102, host: one.cards[1]?.host });
    expect(moved.cards.filter((card) => card.vmid === 101)).toHaveLength(1);
  });

  it("are not given again soon, and all of them are given in the end", () => {
    let state = empty;
    const seen: number[] = [];
    for (let index = 0; index < 1000; index += 1) {
      state = withCards(state, 101, [mac(index)]);
      seen.push(state.cards[0]?.host ?? 0);
    }
    expect(new Set(seen).size).toBe(1000);
    for (let index = 0; state.cards.length < 1015; index += 1)
      state = withCards(state, 1000 + index, [mac(5000 + index)]);
    expect(Math.max(...state.cards.map((card) => card.host))).toBe(lastHost);
    expect(() => withCards(state, 1, [mac(9999)])).toThrow("delete containers that are not needed");
  });
});

describe("the machine's resolvers", () => {
  let folder: { path: string; dispose(): Promise<void> };
  beforeEach(async () => {
    folder = await temporaryDirectory();
  });
  afterEach(() => folder.dispose());

  it("are those behind a resolver on a loopback address", async () => {
    const [stub, real, none] = ["stub", "real", "none"].map((name) => join(folder.path, name));
    if (stub === undefined || real === undefined || none === undefined) throw new Error("there are three paths");
    await writeFile(stub, "nameserver 127.0.0.53\nnameserver ::1\noptions edns0\n");
    await writeFile(
      real,
      "# made by a program\nnameserver fe80::1%eth0\nnameserver 192.0.2.53\nnameserver 192.0.2.54\n",
    );
    expect(await findResolvers([none, stub, real])).toEqual({ path: real, addresses: ["192.0.2.53", "192.0.2.54"] });
    expect(await findResolvers([none, stub])).toBeUndefined();
  });
});
