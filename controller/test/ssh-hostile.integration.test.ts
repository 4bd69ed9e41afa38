import { randomBytes, randomInt } from "node:crypto";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { PassThrough } from "node:stream";
import { Scope } from "@berth/base";
import { type SshKeyPair, sshKeyPair } from "@berth/base/node";
import { newId } from "@berth/protocol";
import { eventually, ManualClock } from "@berth/testkit";
import { Registry } from "prom-client";
import ssh2 from "ssh2";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FleetKeys } from "../src/fleet/keys.ts";
import { Gateway } from "../src/gateway/gateway.ts";
import { gatewayMetrics } from "../src/gateway/metrics.ts";
import { SshSessions } from "../src/gateway/sessions.ts";
import { Transport } from "../src/gateway/transport.ts";
import { createLogger } from "../src/http/logger.ts";
import { testStore } from "./http.fixture.ts";

const keys = new FleetKeys(Buffer.alloc(32, 3), { certificate: "", privateKey: "" });
const person = sshKeyPair(randomBytes(32), "person");

let scope: Scope;
let clock: ManualClock;
let port: number;
/** What the sandbox's side sees of each connection. */
let onSandbox: (transport: Transport) => void;

beforeEach(async () => {
  scope = new Scope();
  clock = new ManualClock(Date.UTC(2026, 5, 1));
  onSandbox = () => {};
  const { db } = await testStore(scope);
  const userId = newId("user");
  await db.insertInto("users").values({ id: userId, username: "u", role: "admin", password_hash: null }).execute();
  await db
    .insertInto("ssh_keys")
    .values({
      id: newId("sshKey"),
      user_id: userId,
      name: "k",
      public_key: person.publicKey,
      fingerprint: person.fingerprint,
    })
    .execute();
  const size = { cores: 1, memory_mib: 512, disk_gib: 4, workspace: '{"type":"empty"}', env: "{}" };
  const web = { id: newId("sandbox"), owner_id: userId, name: "web", state: "ready", desired: "running" } as const;
  await db
    .insertInto("sandboxes")
    .values({ ...web, ...size })
    .execute();
  const sandbox = await startSandbox(keys.hostKey(web.id));
  const gateway = new Gateway({
    db,
    keys,
    ssh: {
      target: async () => ({
        host: "127.0.0.1",
        port: sandbox,
        username: "berth",
        hostKeyFingerprints: [keys.hostKey(web.id).fingerprint],
        privateKeys: [keys.sshClient.privateKey],
      }),
    },
    claude: {
      running: () => Promise.reject(new Error("there is none")),
      open: () => {
        throw new Error("there is none");
      },
    },
    awaitReady: (id) => db.selectFrom("sandboxes").selectAll().where("id", "=", id).executeTakeFirstOrThrow(),
    hold: () => () => {},
    sessions: new SshSessions(db, clock),
    metrics: gatewayMetrics(new Registry()),
    agentForwarding: false,
    clock,
    log: createLogger("error", new PassThrough()),
  });
  scope.add(() => gateway.close());
  port = await gateway.listen("127.0.0.1", 0);
});
afterEach(() => scope.dispose());

/** A sandbox's SSH server that lets everybody in, and does what `onSandbox` says. */
async function startSandbox(hostKey: SshKeyPair): Promise<number> {
  const server = new ssh2.Server({ hostKeys: [hostKey.privateKey] }, (client) => {
    const transport = new Transport(client);
    scope.add(() => void transport.socket.destroy());
    client.on("error", () => {});
    client.on("authentication", (offer) => offer.accept());
    client.on("ready", () => onSandbox(transport));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  scope.add(() => new Promise<void>((resolve) => server.close(() => resolve())));
  const address: { port?: number } | string | null = server.address();
  return typeof address === "object" ? (address?.port ?? 0) : 0;
}

/** Signs in with the registered key, or another. */
async function signIn(username: string, key = person): Promise<{ client: ssh2.Client; transport: Transport }> {
  const client = new ssh2.Client();
  scope.add(() => void client.destroy());
  client.on("error", () => {});
  const ready = Promise.race([
    once(client, "ready"),
    once(client, "close").then(() => Promise.reject(new Error("refused"))),
  ]);
  client.connect({ host: "127.0.0.1", port, username, privateKey: key.privateKey });
  const transport = new Transport(client);
  await ready;
  return { client, transport };
}

/** Whether the gateway still does its work, for somebody who does nothing wrong. */
async function answers(): Promise<boolean> {
  await clock.advance(15 * 60_000);
  const { client } = await signIn("berth");
  const list = await new Promise<string>((resolve, reject) => {
    client.exec("list", (error, channel) => {
      if (error) return reject(error);
      let text = "";
      channel.on("data", (bytes: Buffer) => {
        text += bytes.toString();
      });
      channel.on("close", () => resolve(text));
    });
  });
  client.end();
  return list === "web  ready\n";
}

async function ended(socket: Socket): Promise<void> {
  if (!socket.closed) await once(socket, "close");
}

/** A message of the connection protocol that is wrong in any way there is. */
function nonsense(): Buffer {
  const payload = Buffer.concat([Buffer.of(randomInt(80, 101)), randomBytes(randomInt(0, 60))]);
  // Half of them name channels that may be there, and lengths that may be right.
  if (payload.length >= 9 && randomInt(2) === 0) payload.writeUInt32BE(randomInt(4), 1);
  if (payload.length >= 9 && randomInt(2) === 0) payload.writeUInt32BE(randomInt(40), 5);
  return payload;
}

describe("whoever speaks to the gateway", () => {
  test("in no SSH at all, or in broken packets, ends nothing but the own connection", async () => {
    expect(await answers()).toBe(true);
    for (const head of ["", "GET / HTTP/1.1\r\n\r\n", "SSH-2.0-x\r\n", "SSH-1.5-x\r\n"]) {
      for (let round = 0; round < 8; round += 1) {
        await clock.advance(15 * 60_000);
        const socket = connect(port, "127.0.0.1");
        socket.on("error", () => {});
        socket.resume();
        socket.write(Buffer.concat([Buffer.from(head), randomBytes(randomInt(1, 40_000))]));
        socket.end();
        await ended(socket);
      }
    }
    expect(await answers()).toBe(true);
  });

  test("and is signed in, but sends nonsense instead of messages, ends nothing but the own connection", async () => {
    for (const username of ["berth", "web", "web+claude", "nosuch"]) {
      for (let round = 0; round < 10; round += 1) {
        const { transport } = await signIn(username);
        transport.intercept(() => true);
        for (let index = 0; index < 100; index += 1) transport.send(nonsense());
        transport.socket.end();
        transport.socket.resume();
        await ended(transport.socket);
      }
    }
    expect(await answers()).toBe(true);
  });

  test("as a sandbox whose SSH server sends nonsense, ends nothing but the own connection", async () => {
    onSandbox = (transport) => {
      transport.intercept(() => true);
      for (let index = 0; index < 200; index += 1) transport.send(nonsense());
      transport.socket.write(randomBytes(10_000));
      transport.socket.end();
    };
    for (let round = 0; round < 10; round += 1) {
      const { client, transport } = await signIn("web");
      client.exec("true", () => {});
      await ended(transport.socket);
    }
    expect(await answers()).toBe(true);
  });

  test("and reads nothing, holds the sandbox up and no more than a bound in the gateway", async () => {
    let sent = 0;
    let waiting: () => number = () => 0;
    onSandbox = (transport) => {
      transport.intercept(() => true);
      const data = Buffer.concat([Buffer.from([94, 0, 0, 0, 0, 0, 0, 0x80, 0]), Buffer.alloc(0x8000)]);
      waiting = () => transport.backlogBytes;
      const flood = () => {
        while (transport.backlogBytes < 1024 * 1024 && sent < 256 * 1024 * 1024) {
          transport.send(data);
          sent += data.length;
        }
      };
      transport.onMoved(flood);
      flood();
    };
    const { client, transport } = await signIn("web");
    client.exec("true", () => {});
    transport.intercept(() => true);
    await eventually(() => sent > 1024 * 1024);
    transport.socket.pause();
    let before = -1;
    // Until nothing moves any more: the kernel's own buffers are full, too.
    await eventually(
      async () => {
        const stands = sent === before && waiting() > 0;
        before = sent;
        return stands;
      },
      { intervalMs: 500, timeoutMs: 20_000 },
    );
    expect(sent).toBeLessThan(64 * 1024 * 1024);
    transport.socket.destroy();
    expect(await answers()).toBe(true);
  });

  test("with wrong keys again and again waits longer and longer, and the right key is then let in", async () => {
    const stranger = sshKeyPair(randomBytes(32), "stranger");
    for (let round = 0; round < 8; round += 1) await expect(signIn("web", stranger)).rejects.toThrow();
    await expect(signIn("berth")).rejects.toThrow();
    await clock.advance(120_000);
    expect((await signIn("berth")).transport.socket.destroyed).toBe(false);
  });
});
