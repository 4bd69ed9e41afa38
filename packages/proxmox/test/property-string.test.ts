import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatPropertyString, parsePropertyString } from "../src/index.ts";

describe("a property string", () => {
  it("is read with and without a default key", () => {
    expect(parsePropertyString("name=eth0,bridge=vmbr0,ip=10.0.0.2/24")).toEqual({
      name: "eth0",
      bridge: "vmbr0",
      ip: "10.0.0.2/24",
    });
    expect(parsePropertyString("local:150/vm.raw,size=8G", "volume")).toEqual({
      volume: "local:150/vm.raw",
      size: "8G",
    });
    expect(parsePropertyString("")).toEqual({});
  });

  it("is written with 1 and 0, the default key first, and nothing for undefined", () => {
    const properties = { size: "8G", volume: "local:8", ro: false, acl: true, mtu: 1500, tag: undefined };
    expect(formatPropertyString(properties, "volume")).toBe("local:8,size=8G,ro=0,acl=1,mtu=1500");
  });

  it.each(["eth0", "a=1,a=2", "=x"])("is not %j", (text) => {
    expect(() => parsePropertyString(text)).toThrow(RangeError);
  });

  it("takes no comma in a value, for which there is no escape", () => {
    expect(() => formatPropertyString({ bridge: "a,ip=evil" })).toThrow(RangeError);
  });

  it("reads back what it wrote", () => {
    const key = fc.stringMatching(/^[a-z][a-z0-9_-]{0,8}$/);
    const value = fc.stringMatching(/^[^,\n\r]{0,12}$/);
    fc.assert(
      fc.property(fc.dictionary(key, value), (properties) => {
        expect(parsePropertyString(formatPropertyString(properties))).toEqual({ ...properties });
      }),
    );
  });
});
