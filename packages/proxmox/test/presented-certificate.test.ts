import { once } from "node:events";
import { type AddressInfo, createServer as createTcpServer, type Server } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { Scope, systemClock } from "@berth/base";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { lookAtCertificate } from "../src/index.ts";
import { failureOf, type Identity, makeIdentity } from "./scripted-server.ts";

let identity: Identity;
let scope: Scope;
beforeAll(async () => {
  identity = await makeIdentity();
});
beforeEach(() => {
  scope = new Scope();
});
afterEach(() => scope.dispose());

const look = (url: string, timeoutMs = 5_000) => lookAtCertificate(url, { timeoutMs, clock: systemClock });

async function listen(server: Server): Promise<string> {
  server.on("connection", (socket) => scope.add(() => void socket.destroy()));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  scope.add(() => new Promise((resolve) => server.close(() => resolve())));
  const address: AddressInfo | string | null = server.address();
  return `https://127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
}

describe("a look at a certificate", () => {
  it("tells of it, and that nobody vouches for it, and sends nothing but the handshake", async () => {
    let bytes = 0;
    const { promise: closed, resolve } = Promise.withResolvers<void>();
    const server = createTlsServer({ key: identity.key, cert: identity.cert }, (socket) => {
      socket.on("data", (chunk) => {
        bytes += chunk.length;
      });
      socket.on("error", () => {});
    });
    server.on("connection", (socket) => socket.once("close", () => resolve()));
    const url = await listen(server);
    const seen = await look(`${url}/api2/json/`);
    expect(seen).toMatchObject({ address: url, fingerprint: identity.fingerprint, subject: "CN=pve1" });
    expect(seen.issuer).toBe("CN=pve1");
    expect(seen.distrust).toMatch(/SELF_SIGNED|self-signed/);
    expect(seen.validTo.getTime()).toBeGreaterThan(Date.now());
    await closed;
    expect(bytes).toBe(0);
  });

  it("says that nothing listens there", async () => {
    const url = await listen(createTcpServer());
    await scope.dispose();
    expect(await failureOf(look(url))).toMatchObject({
      kind: "unreachable",
      message: expect.stringMatching(/refused/),
    });
  });

  it("says that something there does not speak TLS", async () => {
    const url = await listen(createTcpServer((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n")));
    const failure = await failureOf(look(url));
    expect(failure).toMatchObject({ kind: "unreachable", message: expect.stringMatching(/does not speak TLS/) });
  });

  it("gives up on one that says nothing", async () => {
    const url = await listen(createTcpServer());
    const failure = await failureOf(look(url, 100));
    expect(failure).toMatchObject({ kind: "unreachable", message: expect.stringMatching(/within 100 ms/) });
  });

  it("takes https addresses without credentials alone", async () => {
    expect(await failureOf(look("http://127.0.0.1:8006"))).toMatchObject({ kind: "settings" });
    expect(await failureOf(look("https://root:secret@127.0.0.1:8006"))).toMatchObject({ kind: "settings" });
  });
});
