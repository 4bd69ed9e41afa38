import { once } from "node:events";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { Scope } from "@berth/base";
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { isProxmoxError } from "../src/index.ts";
import { answer, clientFor, failureOf, type Identity, makeIdentity, ScriptedServer } from "./scripted-server.ts";

let identity: Identity;
let other: Identity;
let scope: Scope;
beforeAll(async () => {
  [identity, other] = await Promise.all([makeIdentity(), makeIdentity()]);
});
beforeEach(() => {
  scope = new Scope();
});
afterEach(() => scope.dispose());

const VERSION = { version: "8.4.21", release: "8.4", repoid: "abc" };

describe("a pinned fingerprint", () => {
  it.each([
    ["as openssl prints it", (text: string) => `sha256 Fingerprint=${text}`],
    ["in lower case without colons", (text: string) => text.replaceAll(":", "").toLowerCase()],
  ])("is matched %s", async (_name, written) => {
    const server = await ScriptedServer.start(scope, identity, (_request, response) => answer(response, VERSION));
    const client = clientFor(scope, identity, server.url, {
      trust: { kind: "fingerprint", fingerprints: [other.fingerprint, written(identity.fingerprint)] },
    });
    expect(await client.cluster.version()).toMatchObject({ version: "8.4.21" });
  });

  it("that does not match is told with both, and the server gets not a byte of HTTP", async () => {
    let bytes = 0;
    const server = createTlsServer({ key: identity.key, cert: identity.cert }, (socket) => {
      socket.on("data", (chunk) => {
        bytes += chunk.length;
      });
      socket.on("error", () => {});
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    let closedSockets = 0;
    server.on("connection", (socket) => {
      socket.on("close", () => {
        closedSockets += 1;
      });
    });
    const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const client = clientFor(scope, other, url, { getRetries: 3 });

    const read = await failureOf(client.cluster.version());
    const write = await failureOf(client.containers.start({ node: "pve1", vmid: 1 }));

    // Once the server has seen both connections end, whatever was sent in them has arrived.
    await vi.waitFor(() => expect(closedSockets).toBe(2));
    server.close();
    await once(server, "close");
    expect(bytes).toBe(0);
    for (const error of [read, write]) {
      if (!isProxmoxError(error, "certificate")) throw error;
      expect(error.failure.seen).toBe(identity.fingerprint);
      expect(error.failure.expected).toEqual([other.fingerprint]);
      expect(error.message).toContain(identity.fingerprint);
      expect(error.message).toContain(other.fingerprint);
      expect(error.hint).toContain(`PROXMOX_FINGERPRINT=${identity.fingerprint}`);
      expect(error.mayHaveActed).toBe(false);
    }
  });

  it("is checked on every new connection, never resumed", async () => {
    const server = await ScriptedServer.start(scope, identity, (_request, response) => {
      response.setHeader("connection", "close");
      answer(response, VERSION);
    });
    const client = clientFor(scope, identity, server.url);
    await client.cluster.version();
    await client.cluster.version();
    expect(server.connections).toBe(2);
  });
});

describe("a CA", () => {
  it("that vouches for the server is trusted", async () => {
    const server = await ScriptedServer.start(scope, identity, (_request, response) => answer(response, VERSION));
    const client = clientFor(scope, identity, server.url, { trust: { kind: "ca", pem: identity.cert } });
    expect(await client.cluster.version()).toMatchObject({ release: "8.4" });
  });

  it.each([
    ["another CA", () => ({ kind: "ca", pem: other.cert }) as const],
    ["the system's CAs", () => ({ kind: "ca" }) as const],
  ])("that does not (%s) is an error with the fingerprint to pin", async (_name, trust) => {
    const server = await ScriptedServer.start(scope, identity, (_request, response) => answer(response, VERSION));
    const client = clientFor(scope, identity, server.url, { trust: trust() });
    const error = await failureOf(client.cluster.version());
    if (!isProxmoxError(error, "certificate")) throw error;
    expect(error.failure).toMatchObject({ seen: identity.fingerprint, expected: [] });
    expect(error.hint).toContain(`PROXMOX_FINGERPRINT=${identity.fingerprint}`);
    expect(server.requests).toEqual([]);
  });

  it("does not help a server of another name", async () => {
    const server = await ScriptedServer.start(scope, identity, (_request, response) => answer(response, VERSION));
    const client = clientFor(scope, identity, server.url.replace("127.0.0.1", "localhost"), {
      trust: { kind: "ca", pem: identity.cert },
    });
    expect(await failureOf(client.cluster.version())).toMatchObject({ kind: "certificate" });
    expect(server.requests).toEqual([]);
  });
});

describe("settings that cannot work", () => {
  it.each([
    ["plain http", { urls: ["http://127.0.0.1:8006"] }],
    ["no address", { urls: [] }],
    ["not a URL", { urls: ["pve1:8006"] }],
    ["credentials in the URL", { urls: ["https://root:secret@pve1:8006"] }],
    ["half a fingerprint", { trust: { kind: "fingerprint", fingerprints: ["AA:BB"] } as const }],
    ["no fingerprint", { trust: { kind: "fingerprint", fingerprints: [] } as const }],
    ["a token id without its name", { credentials: { kind: "token", id: "berth@pve", secret: "x" } as const }],
    ["a secret with a line break", { credentials: { kind: "token", id: "a@pve!b", secret: "x\ny" } as const }],
  ])("are refused at once: %s", (_name, options) => {
    expect(() => clientFor(scope, identity, "https://127.0.0.1:1", options)).toThrow(
      expect.objectContaining({ kind: "settings" }),
    );
  });
});

it("says so when the port does not speak TLS", async () => {
  const server = createTcpServer((socket) => socket.end("HTTP/1.1 301 Moved\r\n\r\n").on("error", () => {}));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  scope.add(() => void server.close());
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const error = await failureOf(clientFor(scope, identity, url, { getRetries: 0 }).cluster.version());
  expect(error).toMatchObject({ kind: "unreachable", message: expect.stringContaining("does not speak TLS") });
});
