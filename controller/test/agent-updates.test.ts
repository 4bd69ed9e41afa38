import { PassThrough } from "node:stream";
import { type Channel, Multiplexer, programsParamsSchema } from "@berth/protocol/link";
import { ManualClock } from "@berth/testkit";
import { Value } from "typebox/value";
import { beforeEach, describe, expect, it } from "vitest";
import { AgentUpdates, type UpdateState } from "../src/agents/updates.ts";
import { createLogger } from "../src/http/logger.ts";

const version = "1.0.0+new";
const old = "1.0.0+old";
const archive = Buffer.alloc(1_000_000, "x");

/** A sandbox's agent as the other end of its link: it takes the bytes, and the test says how it answers. */
class FakeAgent {
  readonly near: Multiplexer;
  channels: Channel[] = [];
  bytes = 0;

  constructor() {
    // A transport delivers later, never within the call.
    const later = (to: () => Multiplexer) => (frame: Uint8Array) => queueMicrotask(() => to().receive(frame));
    this.near = new Multiplexer({ side: "listener", send: later(() => far), onControl: () => {} });
    const far: Multiplexer = new Multiplexer({
      side: "dialler",
      send: later(() => this.near),
      onControl: () => {},
      onOpen: (channel, kind, params) => {
        expect(kind).toBe("programs");
        expect(Value.Check(programsParamsSchema, params)).toBe(true);
        this.channels.push(channel);
        channel.handle({
          onData: (payload) => {
            this.bytes += payload.byteLength;
            channel.consumed(payload.byteLength);
          },
        });
      },
    });
  }

  openChannel(kind: string, params: unknown): Channel {
    return this.near.open(kind, params);
  }

  answer(code?: string): void {
    this.channels.at(-1)?.close(code === undefined ? {} : { code });
  }
}

let clock: ManualClock;
let agents: Map<string, FakeAgent>;
let told: [string, UpdateState][];
let may: boolean | undefined;
let updates: AgentUpdates;

beforeEach(() => {
  clock = new ManualClock(0);
  agents = new Map();
  told = [];
  may = true;
  updates = new AgentUpdates({
    link: (id) => agents.get(id),
    programs: async () => ({ version, archive, sha256: "0".repeat(64) }),
    mayUpdate: async () => may,
    tell: async (id, state) => {
      told.push([id, state]);
    },
    clock,
    log: createLogger("error", new PassThrough()),
  });
});

/** An agent comes over a new link; answers once what that causes at once has happened. */
async function arrive(sandboxId: string, agentVersion: string, failedUpdate?: string): Promise<FakeAgent> {
  const agent = new FakeAgent();
  agents.set(sandboxId, agent);
  await updates.arrived({ sandboxId, agentVersion, failedUpdate });
  await clock.advance(1);
  return agent;
}

describe("agents of another version than the controller's", () => {
  it("are sent the programs, and told of when they come back with them", async () => {
    const agent = await arrive("a", old);
    await clock.advance(1);
    expect(agent.bytes).toBe(archive.byteLength);
    expect(told).toEqual([["a", "updating"]]);
    agent.answer();
    const again = await arrive("a", version);
    expect(told).toEqual([
      ["a", "updating"],
      ["a", "updated"],
    ]);
    await clock.advance(7_200_000);
    expect(again.channels).toEqual([]);
  });

  it("are updated when nothing of the sandbox is being changed any more, and not when it is gone", async () => {
    may = false;
    const agent = await arrive("a", old);
    await clock.advance(10_000);
    expect(agent.channels).toHaveLength(0);
    may = true;
    await clock.advance(30_000);
    expect(agent.channels).toHaveLength(1);
    may = undefined;
    const other = await arrive("b", old);
    await clock.advance(100_000);
    expect(other.channels).toHaveLength(0);
  });

  it("are updated four at a time, each until it has come back", async () => {
    const ids = ["a", "b", "c", "d", "e", "f"];
    for (const id of ids) await arrive(id, old);
    const begun = () => ids.filter((id) => agents.get(id)?.channels.length === 1);
    expect(begun()).toEqual(["a", "b", "c", "d"]);
    agents.get("b")?.answer();
    await clock.advance(1_000);
    expect(begun()).toEqual(["a", "b", "c", "d"]);
    await arrive("b", version);
    expect(begun()).toEqual(["a", "c", "d", "e"]);
    // One that never comes back keeps its place for a while only.
    for (const id of ["a", "c", "d", "e"]) agents.get(id)?.answer();
    await clock.advance(149_000);
    expect(agents.get("f")?.channels).toHaveLength(0);
    await clock.advance(2_000);
    expect(agents.get("f")?.channels).toHaveLength(1);
  });

  it("are sent the programs again after a cut, later each time", async () => {
    const agent = await arrive("a", old);
    agent.near.close();
    await clock.advance(1);
    const second = await arrive("a", old);
    expect(second.channels).toHaveLength(0);
    await clock.advance(5_000);
    expect(second.channels).toHaveLength(1);
    second.answer("internal");
    await clock.advance(1_000);
    expect(second.channels).toHaveLength(1);
    await clock.advance(10_000);
    expect(second.channels).toHaveLength(2);
  });

  it("are sent the programs later each time, too, when they say that they have them and do not", async () => {
    const sent = [];
    for (let round = 0; round < 4; round += 1) {
      const agent = await arrive("a", old);
      sent.push(agent.channels.length);
      agent.answer();
      await clock.advance(1_000);
    }
    expect(sent).toEqual([1, 0, 0, 0]);
  });

  it("are left alone for an hour when the version did not work there", async () => {
    const agent = await arrive("a", old);
    agent.answer();
    const again = await arrive("a", old, version);
    expect(told.at(-1)).toEqual(["a", "failed"]);
    const refusing = await arrive("b", old);
    refusing.answer("update_refused");
    await clock.advance(1_800_000);
    expect(told.at(-1)).toEqual(["b", "failed"]);
    expect([again.channels.length, refusing.channels.length]).toEqual([0, 1]);
    // That they come and go meanwhile makes no difference.
    const others = [await arrive("a", old, version), await arrive("b", old)];
    await clock.advance(1_700_000);
    expect(others.map(({ channels }) => channels.length)).toEqual([0, 0]);
    await clock.advance(200_000);
    expect(others.map(({ channels }) => channels.length)).toEqual([1, 1]);
    // A failure of another version is no reason to leave it alone.
    expect((await arrive("c", old, "0.9.0")).channels).toHaveLength(1);
  });

  it("are left for good when they do not know what an update is, and when the controller stops", async () => {
    const agent = await arrive("a", old);
    agent.answer("invalid_request");
    await clock.advance(7_200_000);
    expect((await arrive("a", old)).channels).toHaveLength(0);
    expect(agent.channels).toHaveLength(1);
    updates.stop();
    expect((await arrive("b", old)).channels).toHaveLength(0);
  });

  it("are due until they have come back, or it is known that they stay as they are", async () => {
    const agent = await arrive("a", old);
    await clock.advance(1);
    expect([updates.isDue("a"), updates.isDue("b")]).toEqual([true, false]);
    agent.answer();
    await clock.advance(1);
    expect(updates.isDue("a")).toBe(true);
    await arrive("a", version);
    expect(updates.isDue("a")).toBe(false);
    await arrive("c", old, version);
    expect(updates.isDue("c")).toBe(false);
    const cut = await arrive("d", old);
    await clock.advance(1);
    cut.answer("invalid_request");
    await clock.advance(1);
    expect(updates.isDue("d")).toBe(false);
  });
});
