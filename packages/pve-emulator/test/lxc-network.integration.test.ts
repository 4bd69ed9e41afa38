import { Scope } from "@berth/base";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { namesOf } from "../src/backend/lxc/network/names.ts";
import { nameServersOf, remains, StandIn } from "./lxc-network-container.ts";
import { lab as addresses, Lab, type Opener } from "./lxc-network-lab.ts";

describe("the network of LXC containers", () => {
  let scope: Scope;
  let lab: Lab;

  beforeEach(async () => {
    scope = new Scope();
    lab = await Lab.create(scope);
  });
  afterEach(async () => {
    await scope.dispose();
  });

  /** Opens a network that is taken down with the test. */
  async function open(name = "a", mode: "isolated" | "open" = "isolated"): Promise<Opener> {
    const opener = await lab.open(name, mode);
    scope.add(async () => {
      if ((await remains(lab, lab.dataDir(name))).length > 0) await lab.takeDown(name);
    });
    return opener;
  }

  it("gives each card an address that it keeps through restarts, reboots and other containers' lives", async () => {
    const opener = await open();
    const container = await StandIn.create(lab, opener, 101);
    const lease = await container.lease();
    const other = await (await StandIn.create(lab, opener, 102)).lease();
    expect(other.address).not.toBe(lease.address);

    await container.unplug();
    await container.plug();
    expect(await container.lease()).toEqual(lease);

    await opener.call({ call: "forget", vmid: 102 });
    await opener.dispose();
    const again = await StandIn.create(lab, await open(), 101);
    expect(await again.lease()).toEqual(lease);
    const third = await (await StandIn.create(lab, await open(), 103)).lease();
    expect([lease.address, other.address]).not.toContain(third.address);
  });

  it("lets the machine reach every port of a container", async () => {
    const opener = await open();
    const container = await StandIn.create(lab, opener, 101);
    const { address } = await container.lease();
    await container.namespace.serve(scope, [22, 8080]);
    expect(await lab.machine.ask(address, 22)).toBe(opener.hostAddress);
    expect(await lab.machine.ask(address, 8080)).toBe(opener.hostAddress);
  });

  it("lets a container reach only the allowed ports of one address of the machine", async () => {
    const opener = await open();
    const container = await StandIn.create(lab, opener, 101);
    const { address, router } = await container.lease();
    await lab.machine.serve(scope, [80, 7401, 8080]);
    const reaches = async (target: string, port: number) =>
      (await container.namespace.ask(target, port, 0.5)) !== undefined;

    expect(await container.namespace.ask(opener.hostAddress, 7401)).toBe(address);
    expect(await reaches(opener.hostAddress, 80)).toBe(false);
    expect(await reaches(addresses.machine, 7401)).toBe(false);

    await opener.call({ call: "allowMachinePorts", ports: [80, 7401] });
    expect(await reaches(opener.hostAddress, 80)).toBe(true);
    expect(await reaches(opener.hostAddress, 7401)).toBe(true);
    expect(await reaches(opener.hostAddress, 8080)).toBe(false);

    await opener.kill();
    const next = await open();
    expect(await reaches(next.hostAddress, 80)).toBe(true);
    expect(await reaches(next.hostAddress, 8080)).toBe(false);
    await next.call({ call: "allowMachinePorts", ports: [] });
    expect(await reaches(next.hostAddress, 80)).toBe(false);
    expect(await reaches(router, 80)).toBe(false);
  });

  it("shows a container named services of the machine's loopback, and nothing else of it", async () => {
    const opener = await open();
    const container = await StandIn.create(lab, opener, 101);
    const { address } = await container.lease();
    await lab.machine.run(["ip", "link", "set", "lo", "up"]);
    await lab.machine.serve(scope, [4000, 4001], "127.0.0.1");
    const ask = (target: string, port: number) => container.namespace.ask(target, port, 0.5);
    expect(await ask(opener.hostAddress, 4000)).toBeUndefined();

    await opener.call({ call: "allowMachinePorts", ports: [7401], services: [{ port: 4000, address: "127.0.0.1" }] });
    expect(await ask(opener.hostAddress, 4000)).toBe(address);
    expect(await ask(opener.hostAddress, 4001)).toBeUndefined();
    expect(await ask("127.0.0.1", 4001)).toBeUndefined();

    await opener.kill();
    const next = await open();
    expect(await ask(next.hostAddress, 4000)).toBe(address);
    await next.call({ call: "allowMachinePorts", ports: [7401], services: [] });
    expect(await ask(next.hostAddress, 4000)).toBeUndefined();
  });

  it("keeps containers from one another, and from one another's addresses", async () => {
    const opener = await open();
    const container = await StandIn.create(lab, opener, 101);
    const victim = await StandIn.create(lab, opener, 102);
    const own = await container.lease();
    const { address, router } = await victim.lease();
    await victim.namespace.serve(scope, [8080]);
    await lab.machine.serve(scope, [7401]);
    expect(await lab.machine.ask(address, 8080)).toBeDefined();
    expect(await container.namespace.ask(address, 8080, 0.5)).toBeUndefined();
    // By way of the gateway, when the bridge does not help.
    await container.namespace.ip(`route add ${address}/32 via ${router} dev eth0`);
    expect(await container.namespace.ask(address, 8080, 0.5)).toBeUndefined();

    await container.namespace.ip(`address flush dev eth0`, `address add ${address}/${own.prefix} dev eth0`);
    await container.namespace.ip(`route replace default via ${router} dev eth0`);
    expect(await container.namespace.ask(opener.hostAddress, 7401, 0.5)).toBeUndefined();
    expect(await victim.namespace.ask(opener.hostAddress, 7401)).toBe(address);

    // An address that DHCP gave to nobody may be used by anybody.
    const free = address.replace(/\d+$/, "77");
    await container.namespace.ip(`address flush dev eth0`, `address add ${free}/${own.prefix} dev eth0`);
    await container.namespace.ip(`route replace default via ${router} dev eth0`);
    expect(await container.namespace.ask(opener.hostAddress, 7401)).toBe(free);
    await container.namespace.ip("link set dev eth0 address 02:00:00:00:00:99");
    await container.namespace.ip(`route replace default via ${router} dev eth0`);
    expect(await container.namespace.ask(opener.hostAddress, 7401, 0.5)).toBeUndefined();
  });

  it("lets nothing out and resolves only containers when it is isolated", async () => {
    const opener = await open();
    const container = await StandIn.create(lab, opener, 101);
    const { address, dns } = await container.lease("first");
    await lab.machine.run(["sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"]);
    expect(await container.namespace.ask(addresses.site, 80, 0.5)).toBeUndefined();
    expect(await container.namespace.ask(addresses.internet, 80, 0.5)).toBeUndefined();
    expect(await container.resolve("first", dns)).toBe(address);
    expect(await container.resolve("first.berth.internal", dns)).toBe(address);
    expect(await container.resolve(addresses.siteName, dns)).toBe("ENOTFOUND");
  });

  it("lets containers out under the machine's address, and resolve the world's names, but not into the machine", async () => {
    const opener = await open("a", "open");
    expect(opener.reports).toEqual(["this machine now forwards packets (net.ipv4.ip_forward = 1)"]);
    const container = await StandIn.create(lab, opener, 101);
    const { dns } = await container.lease("first");
    await lab.machine.serve(scope, [7401]);
    expect(await container.namespace.ask(addresses.site, 80)).toBe(addresses.machine);
    expect(await container.resolve(addresses.siteName, dns)).toBe(addresses.site);
    expect(await container.namespace.ask(opener.hostAddress, 7401)).toBeDefined();
    expect(await container.namespace.ask(addresses.machine, 7401, 0.5)).toBeUndefined();
    // Also one that the machine gets later.
    await lab.machine.ip("address add 192.0.2.55/32 dev lo");
    expect(await container.namespace.ask("192.0.2.55", 7401, 0.5)).toBeUndefined();
    expect(await lab.machine.ask("192.0.2.55", 7401)).toBeDefined();
  });

  it("runs beside another emulator's network, whose containers neither side reaches", async () => {
    const [one, two] = await Promise.all([open("a", "open"), open("b", "open")]);
    const first = await StandIn.create(lab, one, 101);
    const second = await StandIn.create(lab, two, 101);
    const [here, there] = [await first.lease(), await second.lease()];
    expect(here.router).not.toBe(there.router);
    await second.namespace.serve(scope, [8080]);
    await lab.machine.serve(scope, [7401]);
    expect(await lab.machine.ask(there.address, 8080)).toBe(two.hostAddress);
    expect(await first.namespace.ask(there.address, 8080, 0.5)).toBeUndefined();
    expect(await first.namespace.ask(two.hostAddress, 7401, 0.5)).toBeUndefined();
    await two.dispose();
    expect(await remains(lab, lab.dataDir("b"))).toEqual([]);
    expect(await first.namespace.ask(one.hostAddress, 7401)).toBe(here.address);
    expect(await first.namespace.ask(addresses.site, 80)).toBe(addresses.machine);
  });

  it("chooses a subnet that the machine does not use, and another when it has come to use it", async () => {
    await lab.machine.ip("route add 10.0.0.0/8 via 203.0.113.1", "route add 172.16.0.0/12 via 203.0.113.1");
    const opener = await open();
    expect(opener.hostAddress).toMatch(/^192\.168\./);
    await opener.dispose();
    expect((await open()).hostAddress).toBe(opener.hostAddress);
    await (await open()).dispose();
    await lab.machine.ip(`route add ${opener.hostAddress}/32 via 203.0.113.1`);
    const next = await open();
    expect(next.hostAddress).not.toBe(opener.hostAddress);
    expect(next.reports).toHaveLength(1);
  });

  it("says which firewalls of the machine may stand in the way", async () => {
    const rules = "table ip filter { chain FORWARD { type filter hook forward priority 0; policy drop; }; }";
    await lab.machine.run(["nft", "-f", "-"], rules);
    const { reports } = await open("a", "open");
    expect(reports.filter((line) => line.includes("(ip filter FORWARD)"))).toHaveLength(1);
  });

  it("outlives the process that opened it", async () => {
    const opener = await open();
    const container = await StandIn.create(lab, opener, 101);
    const lease = await container.lease();
    const before = nameServersOf(lab.dataDir("a"));
    await opener.kill();
    await container.unplug();
    await container.plug();
    expect(await container.lease()).toEqual(lease);
    const next = await open();
    expect(next.hostAddress).toBe(opener.hostAddress);
    expect(nameServersOf(lab.dataDir("a"))).toEqual(before);
    await next.dispose();
    expect(await remains(lab, lab.dataDir("a"))).toEqual([]);
    expect(namesOf(lab.dataDir("a"), "vmbr0").prefix).toMatch(/^bp[0-9a-f]{8}$/);
  });
});
