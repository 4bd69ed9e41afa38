import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { userInfo } from "node:os";
import { join } from "node:path";
import { Scope, systemClock } from "@berth/base";
import { type BootstrapKeys, bundledTemplateKeys, sshKeyPair } from "@berth/base/node";
import {
  type BootstrapRequest,
  bootstrapRequestText,
  bootstrapResultSchema,
  bootstrapSubsystem,
  parseJson,
} from "@berth/protocol";
import { agentLinkPath } from "@berth/protocol/link";
import { type ContainerRef, ProxmoxClient } from "@berth/proxmox";
import {
  type EmulatorOptions,
  MemoryBackend,
  type RunningEmulator,
  startEmulator,
  subnetOf,
} from "@berth/pve-emulator";
import { eventually, temporaryDirectory } from "@berth/testkit";
import { Value } from "typebox/value";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runBootstrap } from "../../src/bootstrap/bootstrap.ts";
import { connectSsh, HostKeyMismatch, type SshConnection } from "../../src/bootstrap/connect.ts";
import { type FleetKeys, loadFleetKeys } from "../../src/fleet/keys.ts";
import { wantedAccess } from "../../src/ssh/access-wanted.ts";
import { bootGuest, guestSsh } from "./world/guest.ts";
import { templateVmid } from "./world/places.ts";

type Backend = NonNullable<EmulatorOptions["backend"]>;

const standIn: Backend = ({ dataDir, tokenSecret }) =>
  new MemoryBackend({
    clock: systemClock,
    tokenSecret,
    subnet: subnetOf(dataDir),
    sshPort: guestSsh.port,
    sshUser: guestSsh.user,
    boot: (guest) => bootGuest(guest, systemClock),
  });

const subjects: [name: string, backend: Backend, username: string][] = [
  ["the sweeps' stand-in", standIn, guestSsh.user],
  ["a container with sshd, the bootstrap and the agent", "process", userInfo().username],
];

const at: ContainerRef = { node: "pve", vmid: 201 };
const sandboxId = `sbx_${"0".repeat(20)}`;
const stranger = sshKeyPair(Buffer.alloc(32, 7), "stranger");

describe.each(subjects)("%s", (_name, backend, username) => {
  const scope = new Scope();
  /** What agents said of themselves that dialled. */
  const dialled: (string | undefined)[] = [];
  let keys: FleetKeys;
  let first: BootstrapKeys;
  let host: string;
  let controllerUrl: string;

  beforeAll(async () => {
    const directory = await temporaryDirectory();
    scope.add(() => directory.dispose());
    keys = await loadFleetKeys(directory.path);
    const server = await listen(keys, dialled);
    scope.add(() => closeServer(server));
    controllerUrl = `wss://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const emulator = scope.own(await startEmulator({ dataDir: join(directory.path, "proxmox"), backend }));
    first = bundledTemplateKeys(emulator.token.split("=")[1] ?? "");
    host = await runContainer(scope.own(clientOf(emulator)), emulator.pool);
  });

  afterAll(() => scope.dispose());

  const connect = (hostKey: string, privateKey: string) =>
    connectSsh({
      host,
      port: guestSsh.port,
      username,
      hostKeyFingerprints: [hostKey],
      privateKeys: [privateKey],
    });

  async function bootstrap(hostKey: string, privateKey: string, secret: string) {
    const connection = await connect(hostKey, privateKey);
    try {
      return await runBootstrap(connection, requestOf(keys, controllerUrl, secret));
    } finally {
      connection.close();
    }
  }

  const greeting = (secret: string) => `Bearer ${sandboxId}:${secret}`;

  it("shows the template's host key at first, and lets nobody else in than who has the template's other one", async () => {
    const own = keys.hostKey(sandboxId).fingerprint;
    await expect(connect(own, first.client.privateKey)).rejects.toThrow(HostKeyMismatch);
    await expect(connect(first.host.fingerprint, stranger.privateKey)).rejects.toThrow(/authentication/i);
  });

  it("is sent no request that is none", async () => {
    const connection = await connect(first.host.fingerprint, first.client.privateKey);
    const none = { ...requestOf(keys, controllerUrl, "s".repeat(43)), authorizedKeys: ["two\nlines"] };
    await expect(runBootstrap(connection, none)).rejects.toThrow(TypeError);
    connection.close();
  });

  it("takes no request that is none, or that is cut short, and stays as it was", async () => {
    const whole = bootstrapRequestText(requestOf(keys, controllerUrl, "s".repeat(43)));
    for (const text of ["", "not a request\n", whole.slice(0, -1), whole.replace("hostname one\n", "")]) {
      const connection = await connect(first.host.fingerprint, first.client.privateKey);
      expect(Value.Check(bootstrapResultSchema, parseJson(await subsystem(connection, text)))).toBe(false);
      connection.close();
    }
    (await connect(first.host.fingerprint, first.client.privateKey)).close();
    expect(dialled).toEqual([]);
  });

  it("gets its own host key, takes the template's back, and has its agent dial with the secret", async () => {
    const own = keys.hostKey(sandboxId).fingerprint;
    const result = await bootstrap(first.host.fingerprint, first.client.privateKey, "a".repeat(43));
    expect(result.machineId).toMatch(/^[0-9a-f]{32}$/);
    expect(result.hostCertificate).toBe(true);
    await eventually(() => dialled.includes(greeting("a".repeat(43))), { timeoutMs: 20_000 });
    // The server reads its new key when it is told to, which may be a moment after the answer.
    const connection = await eventually(() => connect(own, keys.sshClient.privateKey).catch(() => undefined));
    connection.close();
    await expect(connect(own, first.client.privateKey)).rejects.toThrow(/authentication/i);
  });

  it("answers the same when it is bootstrapped again, and has its agent dial with the new secret alone", async () => {
    const own = keys.hostKey(sandboxId).fingerprint;
    const before = await bootstrap(own, keys.sshClient.privateKey, "b".repeat(43));
    expect(await bootstrap(own, keys.sshClient.privateKey, "c".repeat(43))).toEqual(before);
    await eventually(() => dialled.includes(greeting("c".repeat(43))), { timeoutMs: 20_000 });
    dialled.length = 0;
    await eventually(() => dialled.length > 0, { timeoutMs: 20_000 });
    expect(dialled).toEqual([greeting("c".repeat(43))]);
  });
});

function requestOf(keys: FleetKeys, controllerUrl: string, secret: string): BootstrapRequest {
  const { privateKey, publicKey } = keys.hostKey(sandboxId);
  return {
    hostname: "one",
    hostKey: { privateKey, publicKey },
    hostCertificate: wantedAccess(keys, { id: sandboxId, name: "one", address: null }, [], Date.now()).certificate,
    authorizedKeys: [keys.sshClient.publicKey],
    agent: {
      sandboxId,
      sandboxName: "one",
      controllerUrl,
      controllerCertificate: keys.listener.certificate,
      secret,
      env: {},
    },
  };
}

/** What the bootstrap answers to a text. */
function subsystem({ client }: SshConnection, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    client.subsys(bootstrapSubsystem, (error, channel) => {
      if (error) return reject(error);
      let answer = "";
      channel.on("data", (chunk: Buffer) => {
        answer += chunk.toString("utf8");
      });
      channel.stderr.resume();
      channel.once("close", () => resolve(answer));
      channel.end(text);
    });
  });
}

/** An agents' listener that has no time for anybody, and remembers who it was: agents that are not refused come again. */
async function listen(keys: FleetKeys, dialled: (string | undefined)[]): Promise<Server> {
  const server = createServer({ cert: keys.listener.certificate, key: keys.listener.privateKey });
  server.on("upgrade", (request, socket) => {
    if (request.url === agentLinkPath) dialled.push(request.headers.authorization);
    socket.end("HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\n\r\n");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

function closeServer(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}

/** Clones the template and starts the clone; answers its address. */
async function runContainer(client: ProxmoxClient, pool: string): Promise<string> {
  const template = { node: at.node, vmid: templateVmid };
  for (const begin of [
    () => client.containers.clone(template, { newId: at.vmid, pool }),
    () => client.containers.start(at),
  ]) {
    expect(await client.tasks.wait(await begin())).toMatchObject({ ok: true });
  }
  return eventually(async () => {
    const addresses = await client.containers.addresses(at);
    return addresses.find(({ interface: name, family }) => name !== "lo" && family === 4)?.address;
  });
}

function clientOf({ url, token, fingerprint }: RunningEmulator): ProxmoxClient {
  const [id = "", secret = ""] = token.split("=");
  const trust = { kind: "fingerprint", fingerprints: [fingerprint] } as const;
  return new ProxmoxClient({ urls: [url], credentials: { kind: "token", id, secret }, trust });
}
