import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { systemClock } from "@berth/base";
import { me } from "@berth/protocol";
import { generate } from "selfsigned";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Controller } from "../src/http/controller.ts";
import { normalFingerprint, pin, type Trust } from "../src/http/trust.ts";

describe("a controller with a certificate that nobody signed", () => {
  let server: Server;
  let url: string;
  let certificate: string;
  let fingerprint: string;
  const seen: (string | undefined)[] = [];

  beforeAll(async () => {
    const made = await generate([{ name: "commonName", value: "somewhere.else" }], { keySize: 2048 });
    certificate = made.cert;
    server = createServer({ key: made.private, cert: made.cert }, (request, response) => {
      seen.push(request.headers.authorization);
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify({ id: "usr_00000000000000000000", username: "admin", role: "admin" }));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const shown = await pin(new URL(url), "0".repeat(64)).catch((error: Error) => error.message);
    fingerprint = normalFingerprint(/fingerprint ([0-9A-F:]+)/.exec(String(shown))?.[1] ?? "") ?? "";
  });
  afterAll(() => new Promise((resolve) => server.close(resolve)));

  const who = async (trust: Trust) => {
    const controller = new Controller({ url, token: "secret", trust, clock: systemClock });
    try {
      return (await controller.client.call(me, {})).username;
    } finally {
      controller.dispose();
    }
  };

  it("is not believed by itself, and is told nothing", async () => {
    seen.length = 0;
    await expect(who({ kind: "authorities" })).rejects.toMatchObject({
      exitCode: 6,
      hint: expect.stringContaining("--fingerprint"),
    });
    expect(seen).toEqual([]);
  });

  it("is believed by its fingerprint, whatever name is in it", async () => {
    expect(fingerprint).toMatch(/^[0-9a-f]{64}$/);
    expect(await who(await pin(new URL(url), fingerprint))).toBe("admin");
  });

  it("is refused when it shows another one than was pinned", async () => {
    seen.length = 0;
    await expect(pin(new URL(url), "ab".repeat(32))).rejects.toMatchObject({ exitCode: 6 });
    const other = await generate([{ name: "commonName", value: "127.0.0.1" }], { keySize: 2048 });
    await expect(who({ kind: "pinned", fingerprint, certificate: other.cert })).rejects.toMatchObject({ exitCode: 6 });
    await expect(who({ kind: "pinned", fingerprint: "ab".repeat(32), certificate })).rejects.toMatchObject({
      exitCode: 6,
    });
    expect(seen).toEqual([]);
  });

  it("is refused by an authority of its own under a wrong name", async () => {
    await expect(who({ kind: "authorities", ca: certificate })).rejects.toMatchObject({ exitCode: 6 });
  });
});
