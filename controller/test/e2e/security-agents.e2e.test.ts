import { cp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { Agent } from "node:https";
import { join } from "node:path";
import { bundledTemplateKeys, isErrno } from "@berth/base/node";
import {
  type AgentConfig,
  agentConfigSchema,
  guestPaths,
  listTerminals,
  parseJson,
  type Sandbox,
  terminalScreen,
} from "@berth/protocol";
import {
  agentLinkPath,
  controllerInterface,
  linkLimits,
  linkVersion,
  Multiplexer,
  noInterface,
  Peer,
} from "@berth/protocol/link";
import { type AttachedTerminal, eventually, spawnProcess, temporaryDirectory } from "@berth/testkit";
import Type from "typebox";
import { Value } from "typebox/value";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import WebSocket from "ws";
import { connectSsh, HostKeyMismatch } from "../../src/bootstrap/connect.ts";
import { type FleetKeys, loadFleetKeys } from "../../src/fleet/keys.ts";
import { type Berth, startBerth } from "./berth.ts";
import { ViewerSet } from "./sandbox-programs.ts";

describe("a hostile sandbox", () => {
  let berth: Berth;
  let hostile: Sandbox;
  let other: Sandbox;
  let config: AgentConfig;
  let watcher: AttachedTerminal;
  let turn = 0;
  const viewers = new ViewerSet();

  beforeAll(async () => {
    berth = await startBerth();
    [hostile, other] = await Promise.all([berth.readySandbox(), berth.readySandbox()]);
    config = await agentConfig(hostile);
  });
  afterAll(() => berth.dispose());

  beforeEach(async () => {
    const { id } = await berth.openTerminal(other.id, { kind: "exec", argv: ["cat"] });
    watcher = await viewers.attach(berth, id);
    await expectEcho();
  });
  afterEach(() => viewers.closeAll());

  async function agentConfig(sandbox: Sandbox): Promise<AgentConfig> {
    const text = await readFile(join(await berth.rootOf(sandbox), guestPaths.agentConfig), "utf8");
    return Value.Parse(agentConfigSchema, parseJson(text));
  }

  /** The other sandbox's terminal answers, over the connection that it has had all the time. */
  async function expectEcho(): Promise<void> {
    turn += 1;
    watcher.write(`turn ${turn}\r`);
    await watcher.waitForBytes(`turn ${turn}\r\nturn ${turn}\r\n`);
    expect(watcher.attaches).toHaveLength(1);
  }

  /** The hostile sandbox's own agent serves again. */
  async function expectReturn(): Promise<void> {
    // The sandbox may not have noticed yet that its agent went, so that it is ready, and then is not.
    const { id } = await eventually(
      () => berth.openTerminal(hostile.id, { kind: "exec", argv: ["sh", "-c", "echo back; exec cat"] }),
      { timeoutMs: 20_000, what: "a terminal in the hostile sandbox" },
    );
    await eventually(async () => (await berth.client.call(terminalScreen, { params: { id } })).text.includes("back"), {
      timeoutMs: 20_000,
      what: "the return of the real agent",
    });
  }

  const listed = () => berth.client.call(listTerminals, { params: { id: other.id }, query: { limit: 100 } });

  const dial = (authorization: string, path: string = agentLinkPath) =>
    new WebSocket(new URL(path, config.controllerUrl), {
      headers: { authorization },
      agent: new Agent({ ca: config.controllerCertificate, checkServerIdentity: () => undefined }),
    });
  const own = () => `Bearer ${config.sandboxId}:${config.secret}`;

  /** A link with the right secret, open and not greeted. */
  async function openLink(): Promise<{ socket: WebSocket; closed: Promise<number> }> {
    const socket = dial(own());
    const closed = new Promise<number>((resolve) => socket.once("close", resolve));
    await new Promise((resolve, reject) => {
      socket.once("open", resolve);
      socket.once("error", reject);
    });
    socket.on("error", () => {});
    return { socket, closed };
  }

  /** A link that has said hello as the sandbox's agent would. */
  async function greetedLink(machineId = config.machineId) {
    const { socket, closed } = await openLink();
    const opened: number[] = [];
    const multiplexer: Multiplexer = new Multiplexer({
      side: "dialler",
      send: (frame) => socket.send(frame),
      onControl: (message) => peer.receive(message),
      onOpen: () => opened.push(1),
    });
    const peer = new Peer<typeof noInterface, typeof controllerInterface>({
      local: noInterface,
      remote: controllerInterface,
      handlers: {},
      send: (message) => multiplexer.sendControl(message),
    });
    socket.on("message", (data) => {
      if (data instanceof Uint8Array) multiplexer.receive(data);
    });
    const hello = { linkVersion, agentVersion: "9.9.9", bootId: "x", machineId, terminals: [] };
    return { socket, closed, answer: peer.call("hello", hello) };
  }

  it("is let in by nothing but its own id and secret, from inside the sandbox too", async () => {
    const foreign = await agentConfig(other);
    const attempts = [
      "",
      "Bearer nonsense",
      `Bearer ${config.sandboxId}:${"x".repeat(43)}`,
      `Bearer ${foreign.sandboxId}:${config.secret}`,
      `Bearer sbx_00000000000000000000:${config.secret}`,
      `Bearer ${berth.token}`,
    ];
    const script = `const [url, ...attempts] = process.argv.slice(1); const https = require("https");
      (async () => { for (const authorization of attempts) await new Promise((resolve) => {
        const headers = { authorization, connection: "Upgrade", upgrade: "websocket", "sec-websocket-version": "13",
          "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==" };
        const done = (status) => { console.log("status", status); resolve(); };
        const request = https.get(url, { headers, rejectUnauthorized: false, agent: false }, (answer) => {
          answer.resume(); done(answer.statusCode); });
        request.on("upgrade", (answer, socket) => { socket.destroy(); done(101); }); request.on("error", done);
      }); console.log("all done"); })()`;
    const url = new URL(agentLinkPath, config.controllerUrl.replace("wss:", "https:")).href;
    const argv = ["node", "-e", script, "--", url, ...attempts, own()];
    const { id } = await berth.openTerminal(hostile.id, { kind: "exec", argv, cols: 200 });
    const viewer = await viewers.attach(berth, id);
    await viewer.waitForText("all done");
    const statuses = viewer.screen.textWithScrollback().match(/status .*/g);
    expect(statuses).toEqual([...attempts.map(() => "status 401"), "status 101"]);
    await expectEcho();
  });

  it("finds nothing but the link on the agents' listener", async () => {
    const socket = dial(own(), "/api/v1/sandboxes");
    const status = await new Promise((resolve) => {
      socket.once("unexpected-response", (request, response) => {
        resolve(response.statusCode);
        request.destroy();
      });
      socket.on("error", () => {});
    });
    expect(status).toBe(404);
  });

  const header = (type: number, channel: number, payload = Buffer.alloc(0)) => {
    const frame = Buffer.alloc(linkLimits.headerBytes + payload.length);
    frame.writeUInt8(type, 0);
    frame.writeUInt32BE(channel, 1);
    payload.copy(frame, linkLimits.headerBytes);
    return frame;
  };
  const control = (value: unknown) => header(3, 0, Buffer.from(JSON.stringify(value)));
  const offences: Record<string, (socket: WebSocket) => void> = {
    "a text frame": (socket) => socket.send("hello"),
    "bytes that are no frame": (socket) => socket.send(Buffer.from([1, 2])),
    "a frame of an unknown type": (socket) => socket.send(header(99, 1)),
    "a frame that is too long": (socket) => socket.send(Buffer.alloc(linkLimits.maxFrameBytes + 100)),
    "a message that is too long": (socket) =>
      socket.send(header(3, 0, Buffer.alloc(linkLimits.maxMessageBytes + 1, 0x20))),
    "a message that is no JSON": (socket) => socket.send(header(3, 0, Buffer.from("{"))),
    "a control message of no known kind": (socket) => socket.send(control({ type: "x" })),
    "an event that nobody declared": (socket) => socket.send(control({ type: "event", event: "__proto__", data: {} })),
    "an opened channel": (socket) => socket.send(header(1, 2, Buffer.from('{"kind":"terminal"}'))),
    "more control frames than anybody needs": (socket) => {
      for (let sent = 0; sent < 5000; sent += 1) socket.send(header(3, 12_345, Buffer.from("{}")));
    },
  };

  it.each(Object.keys(offences))("costs itself its link, and nobody else anything, by %s", async (name) => {
    for (const link of [await openLink(), await greetedLink()]) {
      if ("answer" in link) await link.answer;
      offences[name]?.(link.socket);
      // 4400 is the controller's own; 1009 is the WebSocket's, for a message above its bound, and 1006 what a cut while
      // that is sent leaves; 4409, when the real agent was back before it all had come.
      expect([4400, 1009, 1006, 4409]).toContain(await link.closed);
    }
    await expectEcho();
    await expectReturn();
  });

  it("does nothing by frames for channels that do not exist", async () => {
    const { socket, answer, closed } = await greetedLink();
    await answer;
    for (const type of [2, 3, 4, 5])
      for (const channel of [1, 2, 3, 0xffffffff]) socket.send(header(type, channel, Buffer.from("null")));
    await expectEcho();
    socket.close();
    await closed;
    await expectReturn();
  });

  it("cannot speak for another sandbox's terminal", async () => {
    const { items } = await listed();
    const victim = items.find(({ state }) => state === "running");
    const { socket, answer, closed } = await greetedLink();
    await answer;
    const data = { id: victim?.id, state: "exited", exit: { code: 66, signal: null }, cols: 1, rows: 1, epoch: 99 };
    socket.send(control({ type: "event", event: "terminal", data: { ...data, offset: 1, title: "mine", lost: true } }));
    await expectEcho();
    socket.close();
    await closed;
    await expectReturn();
    expect((await listed()).items.find(({ id }) => id === victim?.id)).toMatchObject({ state: "running", epoch: 1 });
  });

  it("is refused with another machine's id, and a copy of it stays silent", async () => {
    const { answer, closed, socket } = await greetedLink("0".repeat(32));
    await expect(answer).rejects.toMatchObject({ code: "forbidden" });
    socket.close();
    await closed;
    const copy = await temporaryDirectory("berth-e2e-copy-");
    try {
      for (const part of ["etc", "usr/lib/berth"]) {
        await cp(join(await berth.rootOf(hostile), part), join(copy.path, part), { recursive: true });
      }
      await writeFile(join(copy.path, guestPaths.machineId), `${"a".repeat(32)}\n`);
      const arrivals = () => berth.process.stdout.split("\n").filter((line) => line.includes("agent connected")).length;
      const before = arrivals();
      const agent = spawnProcess({
        command: process.execPath,
        args: [join(copy.path, guestPaths.programs, "agent.mjs")],
        env: { PATH: process.env.PATH, BERTH_ROOT: copy.path },
      });
      await agent.waitForLine("stays silent");
      await expectReturn();
      expect(agent.running).toBe(true);
      expect(arrivals()).toBe(before);
      await agent.stop();
    } finally {
      await rm(copy.path, { recursive: true, force: true });
      await copy.dispose();
    }
  });
});

describe("a sandbox after its bootstrap", () => {
  let berth: Berth;
  let sandbox: Sandbox;
  let keys: FleetKeys;

  beforeAll(async () => {
    berth = await startBerth();
    sandbox = await berth.readySandbox();
    keys = await loadFleetKeys(berth.dataDir);
  });
  afterAll(() => berth.dispose());

  /** What of the template is its own: with real containers a layer, of which the sandbox has all but what it changed. */
  const templateRoot = async () => {
    if (berth.backend === "process") return berth.rootOf({ vmid: 150 });
    const layers = join(berth.dataDir, "proxmox", "layers");
    const own = (await readdir(layers)).find((name) => name.startsWith("keys-"));
    return join(layers, own ?? "none");
  };
  const target = () => ({
    host: sandbox.address ?? "",
    ...(berth.backend === "lxc"
      ? { port: 22, username: "root" }
      : { port: 2222, username: process.env.USER ?? "root" }),
  });
  /** Where keys could be in the sandbox; the rest of a real root is Debian, and the kernel's. */
  const filesOfSandboxWith = async (text: string) => {
    const root = await berth.rootOf(sandbox);
    const folders = berth.backend === "lxc" ? ["etc", "home", "root", "run", "tmp", "usr/lib/berth", "var"] : ["."];
    return (await Promise.all(folders.map((folder) => filesWith(join(root, folder), text)))).flat();
  };

  it("shows the pinned host key, which is its own, and lets the fleet's key in", async () => {
    const { fingerprint } = keys.hostKey(sandbox.id);
    const connection = await connectSsh({
      ...target(),
      hostKeyFingerprints: [fingerprint],
      privateKeys: [keys.sshClient.privateKey],
    });
    expect(connection.hostKeyFingerprint).toBe(fingerprint);
    connection.close();
    const wrong = keys.hostKey("sbx_00000000000000000000").fingerprint;
    const mismatch = connectSsh({
      ...target(),
      hostKeyFingerprints: [wrong],
      privateKeys: [keys.sshClient.privateKey],
    });
    await expect(mismatch).rejects.toBeInstanceOf(HostKeyMismatch);
  });

  it("has the bootstrap's private key nowhere in it", async () => {
    const bootstrapKey = await readFile(join(await templateRoot(), guestPaths.sshHostKey), "utf8");
    const [, ...body] = bootstrapKey.trim().split("\n").slice(0, -1);
    // The last lines hold the private half; the first ones are the same in every key.
    const secret = body.at(-2) ?? "";
    expect(secret.length).toBeGreaterThan(40);
    expect(await filesWith(await templateRoot(), secret)).not.toEqual([]);
    expect(await filesOfSandboxWith(secret)).toEqual([]);
  });

  it("lets nobody in by the key that the template had", async () => {
    const facts = parseJson(await readFile(join(berth.dataDir, "proxmox", "emulator.json"), "utf8"));
    const { token } = Value.Parse(Type.Object({ token: Type.String() }), facts);
    const bootstrap = bundledTemplateKeys(token.split("=")[1] ?? "");
    const ofTemplate = await readFile(join(await templateRoot(), guestPaths.authorizedKeys), "utf8");
    expect(ofTemplate).toContain(bootstrap.client.publicKey);
    const { fingerprint } = keys.hostKey(sandbox.id);
    const privateKeys = [bootstrap.client.privateKey];
    const attempt = connectSsh({ ...target(), hostKeyFingerprints: [fingerprint], privateKeys });
    await expect(attempt).rejects.toMatchObject({ level: "client-authentication" });
    expect(await filesOfSandboxWith(bootstrap.client.publicKey)).toEqual([]);
  });
});

/** The files below a folder that have a text in them. */
async function filesWith(folder: string, text: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const found = await Promise.all(
    entries
      .filter((entry) => entry.isFile())
      .map(async (entry) => {
        const path = join(entry.parentPath, entry.name);
        // Files of a system that runs come and go.
        const contents = await readFile(path).catch((error: unknown) => {
          if (isErrno(error, "ENOENT")) return "";
          throw error;
        });
        return contents.includes(text) ? [path] : [];
      }),
  );
  return found.flat();
}
