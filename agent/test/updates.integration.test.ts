import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type AgentConfig, attachLimits, guestPaths } from "@berth/protocol";
import { terminalChannelKind } from "@berth/protocol/link";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readState } from "../src/launch/state.ts";
import { type AgentLink, FakeController } from "./support/controller.ts";
import { TestViewer, temporaryRoot, until } from "./support/pty-host.ts";
import { installPrograms, Supervised, sendUpdate, updateArchive } from "./support/supervised.ts";

const machineId = "0123456789abcdef0123456789abcdef";
const size = { cols: 80, rows: 24 };
/** Two starts of programs and the seconds in which they prove themselves. */
const updateMs = 60_000;

let root: ReturnType<typeof temporaryRoot>;
let controller: FakeController;
let agent: Supervised;
let host: Supervised;

beforeEach(async () => {
  root = temporaryRoot();
  controller = await FakeController.start();
  for (const folder of ["etc/berth", "workspace"]) mkdirSync(join(root.path, folder), { recursive: true });
  writeFileSync(join(root.path, "etc/machine-id"), `${machineId}\n`);
  const config: AgentConfig = {
    sandboxId: "sbx_1",
    sandboxName: "one",
    machineId,
    controllerUrl: controller.url,
    controllerCertificate: controller.certificate,
    secret: "s".repeat(43),
    env: {},
  };
  writeFileSync(join(root.path, guestPaths.agentConfig), JSON.stringify(config));
  installPrograms(root.path);
  host = new Supervised("pty-host", root.path);
  agent = new Supervised("agent", root.path);
});

afterEach(async () => {
  await agent.stop();
  await host.stop();
  await controller.stop();
  root.remove();
});

const updates = () => join(root.path, guestPaths.updates);
const template = () => readFileSync(join(root.path, guestPaths.programs, "version"), "utf8").trim();

function run(link: AgentLink, id: string, script: string) {
  return link.peer.call("ensureTerminal", { id, kind: "exec", argv: ["/bin/bash", "-c", script], ...size }, 20_000);
}

function view(link: AgentLink, terminalId: string, offset: number): TestViewer {
  const params = { terminalId, scrollbackLines: attachLimits.defaultScrollbackLines, readOnly: false };
  return new TestViewer(link.multiplexer.open(terminalChannelKind, { ...params, from: { epoch: 1, offset } }));
}

/** The first link after so many that comes with this version. */
async function linkOf(version: string, after: number): Promise<AgentLink> {
  const find = () => controller.links.slice(after).find(({ hello }) => hello.agentVersion === version);
  await until(() => find() !== undefined, updateMs);
  const link = find();
  if (!link) throw new Error("there is no such link");
  return link;
}

const sha256 = (bytes: string | Buffer) => createHash("sha256").update(bytes).digest("hex");

describe("an update of the programs in a sandbox", () => {
  it("takes effect while a terminal floods, which loses no byte, and proves itself", { timeout: 120_000 }, async () => {
    // With pauses: nobody looks while one program takes the place of the other, and no more goes by than the ring keeps.
    const lines = 200_000;
    const flood = `for i in $(seq 1 ${lines}); do echo line $i; (( i % 1000 )) || sleep 0.02; done`;
    const link = await controller.link();
    expect(link.hello.agentVersion).toBe(template());
    await run(link, "t1", `stty raw; ${flood}; echo end $$; read -r x`);
    const viewer = view(link, "t1", 0);
    await until(() => viewer.offset > 10_000);
    const hostPid = host.pid;
    expect(await sendUpdate(link, "9.9.9+1", updateArchive({ version: "9.9.9+1" }))).toEqual({});
    const parts: Buffer[] = [];
    let offset = 0;
    const keep = (seen: TestViewer) => {
      expect(seen.attached?.mode).toBe("exact");
      parts.push(seen.output);
      offset = seen.offset;
    };
    await until(() => viewer.closed !== undefined, updateMs);
    keep(viewer);
    const newer = await linkOf("9.9.9+1", 1);
    for (;;) {
      const again = view(newer, "t1", offset);
      const isEnd = () => again.closed !== undefined || again.output.includes("end ");
      await until(isEnd, updateMs);
      if (again.attached) keep(again);
      if (again.closed === undefined) break;
    }
    const expected = Array.from({ length: lines }, (_, index) => `line ${index + 1}\n`).join("");
    const output = Buffer.concat(parts);
    expect(sha256(output.subarray(0, expected.length))).toBe(sha256(expected));
    await until(() => readState(updates()).proven === "9.9.9+1", updateMs);
    expect(readState(updates())).toEqual({ proven: "9.9.9+1" });
    expect(host.pid).toBe(hostPid);
    expect(host.starts).toBe(1);
    // The PTY host is of that version, too: it runs from there.
    expect(readFileSync(`/proc/${hostPid}/cmdline`, "utf8")).toContain("9.9.9+1");
    // The next update takes the place of this one, whose folder goes.
    expect(await sendUpdate(newer, "9.9.9+2", updateArchive({ version: "9.9.9+2" }))).toEqual({});
    await linkOf("9.9.9+2", 2);
    await until(() => readState(updates()).proven === "9.9.9+2", updateMs);
    await until(() => !readdirSync(updates()).includes("9.9.9+1"));
    expect(host.starts).toBe(1);
  });

  it("is rolled back when its agent crashes at each start", { timeout: 90_000 }, async () => {
    const crash = (source: string) => `if (process.argv[2] !== "--check") process.exit(1);${source}`;
    const archive = updateArchive({ version: "9.9.9+1", agent: crash });
    const link = await controller.link();
    await run(link, "t1", "read -r x");
    expect(await sendUpdate(link, "9.9.9+1", archive)).toEqual({});
    await until(() => controller.links.length > 1, updateMs);
    const { hello } = await controller.link(2);
    expect(hello).toMatchObject({ agentVersion: template(), failedUpdate: "9.9.9+1" });
    expect(hello.terminals).toMatchObject([{ id: "t1", state: "running", epoch: 1 }]);
    expect(readdirSync(updates())).toEqual(["current.json"]);
    // The first start, three of the update, and the one after them.
    expect(agent.starts).toBe(5);
  });

  it("is rolled back when its agent does not link", { timeout: 90_000 }, async () => {
    const mute = (source: string) => {
      const changed = source.replace(/(?<=\w+<)120(?=&&\w+<3600)/, "3").replaceAll("`/link`", "`/elsewhere`");
      expect(changed.length).toBe(source.length - 2 + "elsewhere".length - "link".length);
      return changed;
    };
    const link = await controller.link();
    expect(await sendUpdate(link, "9.9.9+1", updateArchive({ version: "9.9.9+1", agent: mute }))).toEqual({});
    const former = await linkOf(template(), 1);
    expect(former.hello.failedUpdate).toBe("9.9.9+1");
    expect(readState(updates())).toEqual({ failed: "9.9.9+1" });
  });

  it("is on trial until its controller is back, however long that is away", { timeout: 90_000 }, async () => {
    const hasty = (source: string) => {
      const changed = source.replace(/(?<=\w+<)120(?=&&\w+<3600)/, "15");
      expect(changed.length).toBe(source.length - 1);
      return changed;
    };
    const link = await controller.link();
    // Fifteen looks would do if the controller were there. It goes in the moment in which the update is installed.
    expect(await sendUpdate(link, "9.9.9+1", updateArchive({ version: "9.9.9+1", agent: hasty }))).toEqual({});
    const comeBack = await controller.leave();
    await until(() => agent.starts === 2, updateMs);
    const since = performance.now();
    await until(() => performance.now() - since > 17_000 || agent.starts > 2, updateMs);
    expect(agent.starts).toBe(2);
    expect(readState(updates())).toEqual({ trying: "9.9.9+1" });
    await comeBack();
    await linkOf("9.9.9+1", 1);
    await until(() => readState(updates()).proven === "9.9.9+1", updateMs);
    expect(agent.starts).toBe(2);
  });

  it("is given up before it begins when a program of it does not work here", { timeout: 60_000 }, async () => {
    const link = await controller.link();
    await run(link, "t1", "read -r x");
    const stranger = () => "console.log('handover 99')";
    const broken = () => "import 'node-that-is-not';";
    for (const changes of [{ ptyHost: stranger }, { ptyHost: broken }, { agent: broken }]) {
      const archive = updateArchive({ version: "9.9.9+1", ...changes });
      expect(await sendUpdate(link, "9.9.9+1", archive)).toMatchObject({ code: "update_refused" });
    }
    // The announced version is not what is in it.
    expect(await sendUpdate(link, "9.9.9+2", updateArchive({ version: "9.9.9+1" }))).toMatchObject({
      code: "update_refused",
    });
    expect(readdirSync(updates())).toEqual([]);
    expect(await link.peer.call("listTerminals", {})).toMatchObject([{ id: "t1", state: "running" }]);
    expect(agent.starts).toBe(1);
  });

  it("leaves nothing when it is cut, or is not what was announced", { timeout: 60_000 }, async () => {
    const link = await controller.link();
    const archive = updateArchive({ version: "9.9.9+1" });
    const flawed = Buffer.from(archive);
    flawed[100] = 255 - (flawed[100] ?? 0);
    const cut = sendUpdate(link, "9.9.9+1", archive, archive.subarray(0, 100_000));
    link.socket.terminate();
    await cut;
    const again = await controller.link(2);
    expect(again.hello.agentVersion).toBe(template());
    expect(readState(updates())).toEqual({});
    expect(agent.starts).toBe(1);
    expect(await sendUpdate(again, "../x", archive)).toMatchObject({ code: "invalid_request" });
    expect(await sendUpdate(again, template(), archive)).toMatchObject({ code: "conflict" });
    expect(await sendUpdate(again, "9.9.9+1", archive, flawed)).toMatchObject({ code: "internal" });
    expect(await sendUpdate(again, "9.9.9+1", archive)).toEqual({});
    await linkOf("9.9.9+1", 2);
  });
});
