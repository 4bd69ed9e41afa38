import { Agent } from "node:https";
import { Scope } from "@berth/base";
import {
  agentInterface,
  agentLinkPath,
  CallFailure,
  controllerInterface,
  linkVersion,
  Multiplexer,
  Peer,
} from "@berth/protocol/link";
import { eventually, temporaryDirectory } from "@berth/testkit";
import pino from "pino";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { AgentListener } from "../src/agents/listener.ts";
import { AgentRegistry } from "../src/agents/registry.ts";
import { formerSecrets } from "../src/agents/secrets.ts";
import { hashSecret, type ListenerCertificate, loadFleetKeys } from "../src/fleet/keys.ts";
import type { Store } from "../src/store/connect.ts";
import { testStore } from "./http.fixture.ts";

const sandboxId = `sbx_${"1".repeat(20)}`;
const machineId = "0".repeat(32);
const [first = "", second = "", third = "", unknown = ""] = ["a", "b", "c", "d"].map((letter) => letter.repeat(43));

describe("an agent whose sandbox was to be bootstrapped again", () => {
  const scope = new Scope();
  const arrivals: string[] = [];
  let store: Store;
  let certificate: ListenerCertificate;
  let port: number;

  beforeAll(async () => {
    store = await testStore(scope);
    const folder = await temporaryDirectory();
    scope.add(() => folder.dispose());
    certificate = (await loadFleetKeys(folder.path)).listener;
    await store.db
      .insertInto("users")
      .values({ id: "usr_1", username: "one", password_hash: null, role: "admin" })
      .execute();
    const listener = new AgentListener({
      db: store.db,
      registry: new AgentRegistry(),
      certificate,
      log: pino({ level: "silent" }),
      environment: async () => ({}),
      recording: true,
      onArrival: (arrival) => void arrivals.push(arrival.sandboxId),
      onDeparture: () => {},
      onTerminal: () => {},
      onChannel: (_id, channel) => channel.close(),
      onActivity: () => {},
    });
    port = await listener.listen("127.0.0.1", 0);
    scope.add(() => listener.close());
  });
  beforeEach(async () => {
    arrivals.length = 0;
    await store.db.deleteFrom("sandboxes").execute();
    const settings = { cores: 1, memory_mib: 512, disk_gib: 4, workspace: JSON.stringify({ kind: "empty" }) };
    await store.db
      .insertInto("sandboxes")
      .values({
        id: sandboxId,
        name: "one",
        owner_id: "usr_1",
        state: "ready",
        desired: "running",
        ...settings,
        env: "{}",
      })
      .execute();
  });
  afterAll(() => scope.dispose());

  const secrets = () =>
    store.db
      .selectFrom("sandboxes")
      .select(["agent_secret_hash", "former_agent_secret_hashes"])
      .executeTakeFirstOrThrow();

  /** As a bootstrap does before it tells the container. */
  async function give(secret: string): Promise<void> {
    const former_agent_secret_hashes = formerSecrets(await secrets());
    const agent_secret_hash = hashSecret(secret);
    await store.db.updateTable("sandboxes").set({ agent_secret_hash, former_agent_secret_hashes }).execute();
  }

  /** Dials and says hello; answers whether it was let in. */
  async function comes(secret: string): Promise<boolean> {
    const before = arrivals.length;
    const end = dial(`wss://127.0.0.1:${port}${agentLinkPath}`, certificate, secret);
    try {
      return await eventually(() => (arrivals.length > before ? "in" : end.closed ? "out" : undefined)).then(
        (how) => how === "in",
      );
    } finally {
      end.close();
    }
  }

  it("may return with the secret that it has, however often the bootstrap was cut, and with one that got through", async () => {
    for (const secret of [first, second, third]) await give(secret);
    expect(await comes(first)).toBe(true);
    expect(await comes(second)).toBe(true);
    expect(await comes(unknown)).toBe(false);
    expect((await secrets()).former_agent_secret_hashes).toHaveLength(2);
  });

  it("may not return with an earlier one once it has come with the newest", async () => {
    for (const secret of [first, second]) await give(secret);
    expect(await comes(second)).toBe(true);
    expect(await secrets()).toEqual({ agent_secret_hash: hashSecret(second), former_agent_secret_hashes: [] });
    expect(await comes(first)).toBe(false);
    expect(await comes(second)).toBe(true);
  });

  it("may not return with one of before its disk was put back, until that is bootstrapped", async () => {
    await give(first);
    await store.db
      .updateTable("sandboxes")
      .set({ host_key_fingerprint: "SHA256:x", bootstrapped_at: null, agent_secret_hash: null })
      .set({ former_agent_secret_hashes: formerSecrets(await secrets()) })
      .execute();
    expect(await comes(first)).toBe(false);
    await give(second);
    expect(await comes(first)).toBe(false);
    expect(await comes(second)).toBe(true);
  });

  it("keeps the first and the last of very many", async () => {
    for (let turn = 0; turn < 30; turn += 1) await give(`${turn}`.padStart(43, "x"));
    const { former_agent_secret_hashes: former } = await secrets();
    expect(former).toHaveLength(8);
    expect(former[0]).toBe(hashSecret("0".padStart(43, "x")));
    expect(former.at(-1)).toBe(hashSecret("28".padStart(43, "x")));
  });
});

const nothing = () => Promise.reject(new CallFailure("not_found", "this agent has nothing"));

function dial(url: string, { certificate }: ListenerCertificate, secret: string) {
  const end = { closed: false, close: () => socket.terminate() };
  const socket = new WebSocket(url, {
    agent: new Agent({ ca: certificate, checkServerIdentity: () => undefined }),
    headers: { authorization: `Bearer ${sandboxId}:${secret}` },
    perMessageDeflate: false,
  });
  socket.binaryType = "nodebuffer";
  socket.on("error", () => {});
  socket.once("close", () => {
    end.closed = true;
    peer.close();
  });
  const link: Multiplexer = new Multiplexer({
    side: "dialler",
    send: (frame) => socket.send(frame, { binary: true }),
    onControl: (message) => peer.receive(message),
  });
  const peer = new Peer({
    local: agentInterface,
    remote: controllerInterface,
    handlers: {
      setEnvironment: async () => null,
      listTerminals: async () => [],
      ensureTerminal: nothing,
      removeTerminal: async () => null,
      input: nothing,
      resize: nothing,
      screen: nothing,
      activity: nothing,
    },
    send: (message) => link.sendControl(message),
  });
  socket.on("message", (data: Buffer) => link.receive(data));
  const hello = { linkVersion, agentVersion: "test", bootId: "boot", machineId, terminals: [] };
  socket.once("open", () => void peer.call("hello", hello).catch(() => socket.terminate()));
  return end;
}
