import { describe, expect, it } from "vitest";
import { configParameters } from "../src/containers/config-options.ts";
import { normaliseCard, withNewMac } from "../src/containers/network-cards.ts";
import { formatPropertyString, readPropertyString } from "../src/schema/property-string.ts";
import { checkParameters } from "../src/schema/verify.ts";

const complaintsAbout = (raw: Record<string, unknown>) => checkParameters(configParameters, raw).errors;

describe("a property string", () => {
  it("comes apart into its properties, with a first one that needs no key", () => {
    const disk = "local:150/base-150-disk-0.subvol,size=2G";
    expect(readPropertyString(disk, "volume")).toEqual({ volume: "local:150/base-150-disk-0.subvol", size: "2G" });
  });

  it("is put together with one key leading and the others by name", () => {
    expect(formatPropertyString({ type: "veth", bridge: "vmbr0", name: "eth0" }, "name")).toBe(
      "name=eth0,bridge=vmbr0,type=veth",
    );
  });

  it("is verified property by property", () => {
    expect(complaintsAbout({ net0: "bridge=vmbr0" })).toEqual({
      net0: "invalid format - format error\nnet0.name: property is missing and it is not optional\n",
    });
    expect(complaintsAbout({ net0: "name=eth0,hwaddr=nomac" })).toHaveProperty("net0");
    expect(complaintsAbout({ net0: "name=eth0,ip=300.1.1.1/24" })).toHaveProperty("net0");
    expect(complaintsAbout({ net0: "eth0" })).toHaveProperty("net0");
    expect(complaintsAbout({ net0: "name=eth0,name=eth1" })).toHaveProperty("net0");
    expect(complaintsAbout({ net32: "name=eth0" })).toHaveProperty("net32");
  });

  it("takes words for booleans, which the call itself does not", () => {
    expect(complaintsAbout({ features: "nesting=yes" })).toEqual({});
    expect(complaintsAbout({ onboot: "yes" })).toEqual({ onboot: "type check ('boolean') failed - got 'yes'" });
    expect(complaintsAbout({ onboot: true })).toEqual({});
  });
});

describe("a network card", () => {
  it("is given a MAC address and its type when it has none", () => {
    expect(normaliseCard("name=eth0,ip=dhcp,bridge=vmbr0")).toMatch(
      /^name=eth0,bridge=vmbr0,hwaddr=BC:24:11(:[0-9A-F]{2}){3},ip=dhcp,type=veth$/,
    );
  });

  it("stays as it is when it is normal already", () => {
    const card = normaliseCard("name=eth0,bridge=vmbr0");
    expect(normaliseCard(card)).toBe(card);
  });

  it("has another MAC address in a clone", () => {
    const card = normaliseCard("name=eth0,bridge=vmbr0");
    expect(withNewMac(card)).not.toBe(card);
    expect(withNewMac(card).replace(/hwaddr=[^,]+/, "")).toBe(card.replace(/hwaddr=[^,]+/, ""));
  });
});
