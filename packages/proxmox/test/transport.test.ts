import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { Scope } from "@berth/base";
import { ManualClock } from "@berth/testkit";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { TransportOptions } from "../src/index.ts";
import {
  answer,
  clientFor,
  failureOf,
  type Identity,
  makeIdentity,
  refuse,
  ScriptedServer,
  TOKEN,
} from "./scripted-server.ts";

const UPID = "UPID:pve1:000A1B2C:0012D687:65A1B2C3:vzstart:301:berth@pve!ctl:";
const VERSION = { version: "8.4.21", release: "8.4" };
const CT = { node: "pve1", vmid: 301 };

let identity: Identity;
let scope: Scope;
beforeAll(async () => {
  identity = await makeIdentity();
});
beforeEach(() => {
  scope = new Scope();
});
afterEach(() => scope.dispose());

/** A port that nothing listens on. */
async function closedPort(): Promise<string> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return `https://127.0.0.1:${port}`;
}

describe("a request", () => {
  it("carries the token, and its parameters where PVE reads them", async () => {
    const server = await ScriptedServer.start(scope, identity, (request, response) =>
      answer(response, request.method === "PUT" ? null : UPID),
    );
    const client = clientFor(scope, identity, server.url);
    const params = Object.freeze({ force: true, purge: false, nothing: undefined });
    await client.transport.call({ method: "delete", path: "/api2/json/nodes/pve1/lxc/301", params });
    await client.containers.configure(CT, {
      hostname: "ä b&c=d;e",
      protection: false,
      cores: 2,
      delete: ["net1", "mp0"],
    });
    await client.containers.start(CT);
    const [destroy, put, start] = server.requests;
    expect(destroy).toMatchObject({ method: "DELETE", url: "/api2/json/nodes/pve1/lxc/301?force=1&purge=0", body: "" });
    expect(destroy?.headers).not.toHaveProperty("content-type");
    expect(put).toMatchObject({
      method: "PUT",
      url: "/api2/json/nodes/pve1/lxc/301/config",
      body: "hostname=%C3%A4+b%26c%3Dd%3Be&cores=2&protection=0&delete=net1%2Cmp0",
      headers: { "content-length": "68", "content-type": "application/x-www-form-urlencoded" },
    });
    expect(start).toMatchObject({ method: "POST", body: "", headers: { "content-length": "0" } });
    for (const request of server.requests) {
      expect(request.headers.authorization).toBe(`PVEAPIToken=${TOKEN.id}=${TOKEN.secret}`);
      expect(request.headers).not.toHaveProperty("transfer-encoding");
    }
  });

  it("escapes what it puts into a path, and refuses to climb", async () => {
    const server = await ScriptedServer.start(scope, identity, (_request, response) => answer(response, UPID));
    const client = clientFor(scope, identity, server.url);
    await client.snapshots.remove(CT, "a/b?c#d e");
    expect(server.requests[0]?.url).toBe("/api2/json/nodes/pve1/lxc/301/snapshot/a%2Fb%3Fc%23d%20e");
    await expect(client.snapshots.remove(CT, "..")).rejects.toThrow(RangeError);
    expect(server.requests).toHaveLength(1);
  });

  it("waits for one of a few connections in a crowd, but not for those that hang", async () => {
    const held: ServerResponse[] = [];
    const server = await ScriptedServer.start(scope, identity, (request, response) => {
      if (request.url.endsWith("/version")) answer(response, VERSION);
      else held.push(response);
    });
    const clock = new ManualClock();
    const client = clientFor(scope, identity, server.url, { clock });
    await Promise.all(Array.from({ length: 20 }, () => client.cluster.version()));
    expect(server.connections).toBe(4);
    const hanging = Array.from({ length: 4 }, () => client.containers.start(CT));
    await expect.poll(() => held.length).toBe(4);
    const patient = client.cluster.version();
    await clock.advance(200);
    expect(await patient).toMatchObject(VERSION);
    expect(server.connections).toBe(5);
    for (const response of held) answer(response, UPID);
    await Promise.all(hanging);
  });

  it("shares kept connections", async () => {
    const server = await ScriptedServer.start(scope, identity, (_request, response) => answer(response, VERSION));
    const client = clientFor(scope, identity, server.url);
    for (let turn = 0; turn < 5; turn += 1) await client.cluster.version();
    expect(server.requests).toHaveLength(5);
    expect(server.connections).toBe(1);
  });

  it("is not made for an empty change of a configuration", async () => {
    const server = await ScriptedServer.start(scope, identity, (_request, response) => answer(response, null));
    await clientFor(scope, identity, server.url).containers.configure(CT, { digest: "abc" });
    expect(server.requests).toEqual([]);
  });
});

describe("a server in trouble", () => {
  const troubles: Record<string, (response: ServerResponse) => void> = {
    "a reset connection": (response) => void response.socket?.destroy(),
    "a body cut in the middle of a chunk": (response) => {
      response.writeHead(200, { "transfer-encoding": "chunked" });
      response.socket?.write('20\r\n{"data":', () => response.socket?.destroy());
    },
    "status 595": (response) => refuse(response, 595, "No route to host"),
    "status 596": (response) => refuse(response, 596, "Connection timed out"),
    "status 502": (response) => refuse(response, 502, "Bad Gateway"),
  };

  it.each(Object.entries(troubles))("is asked again with a GET after %s, up to a bound", async (_name, trouble) => {
    let left = 2;
    const server = await ScriptedServer.start(scope, identity, (_request, response) => {
      left -= 1;
      if (left >= 0) trouble(response);
      else answer(response, VERSION);
    });
    expect(await clientFor(scope, identity, server.url).cluster.version()).toEqual(VERSION);
    expect(server.requests).toHaveLength(3);
    left = 100;
    const stubborn = clientFor(scope, identity, server.url, { getRetries: 1 });
    expect(await failureOf(stubborn.cluster.version())).toMatchObject({ mayHaveActed: false });
    expect(server.requests).toHaveLength(5);
    expect(await failureOf(stubborn.cluster.version({ getRetries: 0 }))).toMatchObject({ mayHaveActed: false });
    expect(server.requests).toHaveLength(6);
  });

  it.each(Object.entries(troubles))("gets no other call twice, after %s", async (name, trouble) => {
    const server = await ScriptedServer.start(scope, identity, (_request, response) => trouble(response));
    const client = clientFor(scope, identity, server.url);
    const acted = name !== "status 595";
    expect(await failureOf(client.containers.start(CT))).toMatchObject({ mayHaveActed: acted });
    expect(await failureOf(client.containers.destroy(CT))).toMatchObject({ mayHaveActed: acted });
    expect(await failureOf(client.containers.configure(CT, { cores: 1 }))).toMatchObject({ mayHaveActed: acted });
    expect(server.requests.map((request) => request.method)).toEqual(["POST", "DELETE", "PUT"]);
  });

  it("tells an offline node from an unreachable server", async () => {
    const server = await ScriptedServer.start(scope, identity, (_request, response) =>
      refuse(response, 595, "No route"),
    );
    const client = clientFor(scope, identity, server.url, { getRetries: 0 });
    expect(await failureOf(client.containers.config(CT))).toMatchObject({ kind: "node_offline", status: 595 });
    const none = clientFor(scope, identity, await closedPort(), { getRetries: 0 });
    expect(await failureOf(none.containers.start(CT))).toMatchObject({
      kind: "unreachable",
      mayHaveActed: false,
      message: expect.stringContaining("connection refused"),
      hint: expect.stringContaining("PROXMOX_URL"),
    });
  });

  it.each([
    ["a page of HTML", (response: ServerResponse) => response.end("<html>")],
    ["data of another type", (response: ServerResponse) => answer(response, { version: 8 })],
    ["no data", (response: ServerResponse) => response.end("{}")],
    ["a redirect", (response: ServerResponse) => refuse(response, 301, "Moved")],
    ["more than the bound", (response: ServerResponse) => answer(response, "x".repeat(5_000))],
  ])("that lies is a protocol error: %s", async (_name, lie) => {
    const server = await ScriptedServer.start(scope, identity, (_request, response) => void lie(response));
    const client = clientFor(scope, identity, server.url, { maxBodyBytes: 4_000 });
    expect(await failureOf(client.cluster.version())).toMatchObject({ kind: "protocol", mayHaveActed: false });
    expect(server.requests).toHaveLength(1);
  });
});

describe("a slow server", () => {
  it("is given up while connecting", async () => {
    const sockets: Socket[] = [];
    const silent = createServer((socket) => void sockets.push(socket.on("error", () => {})));
    silent.listen(0, "127.0.0.1");
    await once(silent, "listening");
    scope.add(() => {
      for (const socket of sockets) socket.destroy();
      silent.close();
    });
    const url = `https://127.0.0.1:${(silent.address() as AddressInfo).port}`;
    const client = clientFor(scope, identity, url, { connectTimeoutMs: 40, getRetries: 0 });
    expect(await failureOf(client.containers.start(CT))).toMatchObject({
      kind: "unreachable",
      mayHaveActed: false,
      message: expect.stringContaining("40 ms"),
    });
  });

  it("is given up before its answer's head, and a call that acts may have acted", async () => {
    const server = await ScriptedServer.start(scope, identity, () => {});
    const client = clientFor(scope, identity, server.url, { headersTimeoutMs: 40 });
    const failure = { kind: "timeout", phase: "headers", timeoutMs: 40 };
    expect(await failureOf(client.containers.start(CT))).toMatchObject({ failure, mayHaveActed: true });
    expect(await failureOf(client.cluster.version())).toMatchObject({ failure, mayHaveActed: false });
    expect(server.requests).toHaveLength(2);
  });

  it("is given up in the body, however it trickles", async () => {
    const server = await ScriptedServer.start(scope, identity, (_request, response) => {
      response.writeHead(200);
      const timer = setInterval(() => response.write(" "), 5);
      response.on("close", () => clearInterval(timer));
    });
    const client = clientFor(scope, identity, server.url, { bodyTimeoutMs: 60 });
    expect(await failureOf(client.containers.start(CT))).toMatchObject({
      failure: { kind: "timeout", phase: "body" },
      status: 200,
      mayHaveActed: true,
    });
  });

  it("is left at once on abort, with the signal's reason", async () => {
    const aborter = new AbortController();
    const reason = new Error("changed my mind");
    const server = await ScriptedServer.start(scope, identity, () => aborter.abort(reason));
    const client = clientFor(scope, identity, server.url);
    expect(await failureOf(client.cluster.version({ signal: aborter.signal }))).toBe(reason);
    expect(await failureOf(client.api({ signal: aborter.signal }).version.$get())).toBe(reason);
    expect(server.requests).toHaveLength(1);
  });

  it("keeps nobody waiting once the client is disposed", async () => {
    const server = await ScriptedServer.start(scope, identity, () => void client[Symbol.asyncDispose]());
    const client = clientFor(scope, identity, server.url);
    expect(await failureOf(client.cluster.version())).toMatchObject({ kind: "unreachable" });
    expect(await failureOf(client.cluster.version())).toMatchObject({ message: expect.stringContaining("closed") });
    expect(server.requests).toHaveLength(1);
  });
});

describe("several addresses", () => {
  it("are tried in turn while no connection can be made, also for a POST, and the good one is remembered", async () => {
    const dead = await closedPort();
    const server = await ScriptedServer.start(scope, identity, (_request, response) => answer(response, UPID));
    const client = clientFor(scope, identity, [dead, server.url], { getRetries: 0 });
    expect(await client.containers.start(CT)).toBe(UPID);
    expect(await client.containers.stop(CT)).toBe(UPID);
    expect(server.requests).toHaveLength(2);
    expect(server.connections).toBe(1);
  });

  it("are not tried further once something was sent", async () => {
    const breaking = await ScriptedServer.start(
      scope,
      identity,
      (_request, response) => void response.socket?.destroy(),
    );
    const good = await ScriptedServer.start(scope, identity, (_request, response) => answer(response, UPID));
    const client = clientFor(scope, identity, [breaking.url, good.url]);
    expect(await failureOf(client.containers.start(CT))).toMatchObject({ kind: "unreachable", mayHaveActed: true });
    expect(good.requests).toEqual([]);
  });

  it("are served past one with a wrong certificate, of which is told, and which gets not a byte", async () => {
    const stranger = await ScriptedServer.start(scope, await makeIdentity(), () => {});
    const server = await ScriptedServer.start(scope, identity, (_request, response) => answer(response, UPID));
    const told: [string, string | undefined][] = [];
    const onAddress: TransportOptions["onAddress"] = (origin, error) => told.push([origin, error?.kind]);
    const client = clientFor(scope, identity, [stranger.url, server.url], { onAddress });
    expect(await client.containers.start(CT)).toBe(UPID);
    expect(await client.containers.stop(CT)).toBe(UPID);
    expect(stranger.requests).toEqual([]);
    expect(told).toEqual([[stranger.url, "certificate"]]);
  });

  it("say of a wrong certificate when no other address serves either", async () => {
    const stranger = await ScriptedServer.start(scope, await makeIdentity(), () => {});
    const client = clientFor(scope, identity, [await closedPort(), stranger.url, await closedPort()]);
    expect(await failureOf(client.containers.start(CT))).toMatchObject({ kind: "certificate", mayHaveActed: false });
  });

  it("are served past one that takes connections and says nothing, and past one that takes calls and never answers", async () => {
    const silent = createServer((socket) => void socket.on("error", () => {}));
    silent.listen(0, "127.0.0.1");
    await once(silent, "listening");
    const held = new Set<Socket>();
    silent.on("connection", (socket) => held.add(socket));
    scope.add(() => {
      for (const socket of held) socket.destroy();
      silent.close();
    });
    const mute = await ScriptedServer.start(scope, identity, () => {});
    const server = await ScriptedServer.start(scope, identity, (_request, response) => answer(response, VERSION));
    const silentUrl = `https://127.0.0.1:${(silent.address() as AddressInfo).port}`;
    const client = clientFor(scope, identity, [silentUrl, mute.url, server.url], {
      ...{ connectTimeoutMs: 100, headersTimeoutMs: 200, getRetries: 0 },
    });
    expect(await client.cluster.version()).toMatchObject(VERSION);
    expect(await client.cluster.version()).toMatchObject(VERSION);
    expect(mute.requests).toHaveLength(1);
    expect(server.requests).toHaveLength(2);
  });

  it("that broke off a call are not asked first again, though what acts is never sent twice", async () => {
    const mute = await ScriptedServer.start(scope, identity, () => {});
    const server = await ScriptedServer.start(scope, identity, (_request, response) => answer(response, UPID));
    const client = clientFor(scope, identity, [mute.url, server.url], { headersTimeoutMs: 100 });
    expect(await failureOf(client.containers.start(CT))).toMatchObject({ kind: "timeout", mayHaveActed: true });
    expect(server.requests).toEqual([]);
    expect(await client.containers.start(CT)).toBe(UPID);
    expect(mute.requests).toHaveLength(1);
  });

  it("are all named when none answers", async () => {
    const urls = [await closedPort(), await closedPort()];
    const error = await failureOf(clientFor(scope, identity, urls, { getRetries: 0 }).cluster.version());
    for (const url of urls) expect(error).toMatchObject({ message: expect.stringContaining(url) });
  });
});
