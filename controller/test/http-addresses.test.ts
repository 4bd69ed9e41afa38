import { describe, expect, test } from "vitest";
import { isLoopback, OwnAddress } from "../src/http/addresses.ts";

const address = new OwnAddress({ host: "0.0.0.0", publicUrl: new URL("https://berth.lan:8443") });

describe("the Host that is answered for", () => {
  test.each([
    ["localhost:7400", true],
    ["LOCALHOST", true],
    ["127.0.0.1:1", true],
    ["127.8.8.8", true],
    ["[::1]:7400", true],
    ["berth.lan:8443", true],
    ["berth.lan", true],
    ["192.168.1.5:7400", true],
    ["192.168.1.6:7400", false],
    ["evil.example", false],
    ["localhost.evil.example", false],
    ["berth.lan.evil.example:8443", false],
    ["localhost:7400@evil.example", false],
    ["", false],
    [undefined, false],
  ])("%s: %s", (host, answered) => {
    expect(address.answersFor(host, "::ffff:192.168.1.5")).toBe(answered);
  });
});

describe("the console's own Origin", () => {
  test.each([
    ["http://127.0.0.1:7400", "127.0.0.1:7400", true],
    ["http://localhost", "localhost:80", true],
    ["https://berth.lan:8443", "127.0.0.1:7400", true],
    ["http://127.0.0.1:7401", "127.0.0.1:7400", false],
    ["http://localhost:7400", "127.0.0.1:7400", false],
    ["https://127.0.0.1:7400", "127.0.0.1:7400", false],
    ["http://berth.lan:8443", "127.0.0.1:7400", false],
    ["null", "127.0.0.1:7400", false],
    [undefined, "127.0.0.1:7400", false],
  ])("%s on %s: %s", (origin, host, own) => {
    expect(address.isOwnOrigin(origin, host)).toBe(own);
  });
});

test("cookies are secure where people come by TLS", () => {
  expect(address.isSecure("berth.lan:8443")).toBe(true);
  expect(address.isSecure("localhost:7400")).toBe(false);
});

test("loopback is all of 127.0.0.0/8 and ::1", () => {
  expect(["127.0.0.1", "127.9.9.9", "::ffff:127.0.0.1", "[::1]"].every(isLoopback)).toBe(true);
  expect(["10.0.0.1", "localhost", "::", ""].some(isLoopback)).toBe(false);
});
