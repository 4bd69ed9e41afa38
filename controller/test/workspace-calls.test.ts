import { type Channel, Multiplexer, workspaceLimits } from "@berth/protocol/link";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { statPaths } from "../src/files/stat.ts";
import { WorkspaceConnections } from "../src/files/workspace-calls.ts";

/** An agent that says what a test wants, and the controller's link to it. */
function agentThat(behave: (channel: Channel) => void) {
  const channels: Channel[] = [];
  const near: Multiplexer = new Multiplexer({
    side: "listener",
    send: (frame) => queueMicrotask(() => far.receive(frame)),
    onControl: () => {},
  });
  const far: Multiplexer = new Multiplexer({
    side: "dialler",
    send: (frame) => queueMicrotask(() => near.receive(frame)),
    onControl: () => {},
    onOpen: (channel) => {
      channels.push(channel);
      channel.handle({});
      behave(channel);
    },
  });
  const link = { sandboxId: "sbx_1", openChannel: (kind: string, params: unknown) => near.open(kind, params) };
  return { link, near, channels };
}

let connections = new WorkspaceConnections(() => () => {});
beforeEach(() => {
  connections = new WorkspaceConnections(() => () => {});
});
const answers = (value: unknown) => (channel: Channel) => channel.sendMessage({ type: "answer", value });
const says = (channel: Channel, text: string) => channel.send(Buffer.from(text));
const facts = { type: "file", size: 1, mtimeNs: "1", mode: 0o644 };

describe("a call about a workspace", () => {
  afterEach(() => vi.useRealTimers());

  it("gives what the agent answers", async () => {
    const { link } = agentThat((channel) => {
      answers({ more: false })(channel);
      says(channel, `{"name":"YQ","facts":${JSON.stringify(facts)}}\n{"name":`);
      says(channel, `"Yg","facts":${JSON.stringify(facts)}}\n`);
      channel.close();
    });
    const { answer, records } = await connections.list(link, "list", { path: "", limit: 10 }, { maxRecords: 10 });
    expect(answer).toEqual({ more: false });
    expect(records.map(({ name }) => name)).toEqual(["YQ", "Yg"]);
  });

  it("is refused for an answer that does not fit, in any of its parts", async () => {
    const line = `{"name":"YQ","facts":${JSON.stringify(facts)}}\n`;
    const answered = answers({ more: false });
    const behind = (text: string) => (channel: Channel) => {
      answered(channel);
      says(channel, text);
    };
    const wrong: ((channel: Channel) => void)[] = [
      (channel) => channel.sendMessage({ type: "answer" }),
      (channel) => channel.sendMessage({ type: "else" }),
      answers({ more: 1 }),
      answered,
      (channel) => {
        answered(channel);
        answered(channel);
      },
      behind("nonsense\n"),
      behind(line.slice(0, -1)),
      behind(line.repeat(11)),
      behind(" ".repeat(workspaceLimits.recordBytes + 1)),
      (channel) => says(channel, line),
      () => {},
    ];
    for (const [index, behave] of wrong.entries()) {
      const { link, near } = agentThat((channel) => {
        behave(channel);
        channel.close(index === 3 ? { code: "internal", detail: "x" } : {});
      });
      const call = connections.list(link, "list", { path: "", limit: 10 }, { maxRecords: 10 });
      await expect(call, String(index)).rejects.toMatchObject({ code: "sandbox_not_ready" });
      await vi.waitFor(() => expect(near.size).toBe(0));
    }
  });

  it("never takes an agent's word for more than an error of its owner's", async () => {
    const reason = fc.record({ code: fc.string({ maxLength: 70 }), detail: fc.string({ maxLength: 2000 }) });
    await fc.assert(
      fc.asyncProperty(reason, async (said) => {
        const { link } = agentThat((channel) => channel.close(said));
        const call = connections.ask(link, "makeFolder", { path: "YQ" });
        await expect(call).rejects.toMatchObject({ name: "BerthError" });
      }),
      { numRuns: 200 },
    );
  });

  it("ends with whoever waits for it, and after a silence", async () => {
    const { link, near, channels } = agentThat(answers(null));
    const gone = new AbortController();
    const call = connections.list(link, "stat", {}, { maxRecords: 1, signal: gone.signal });
    call.catch(() => {});
    await vi.waitFor(() => expect(channels).toHaveLength(1));
    gone.abort();
    await expect(call).rejects.toMatchObject({ name: "BerthError" });
    expect(near.size).toBe(0);
    vi.useFakeTimers();
    const silent = agentThat(() => {});
    const waiting = connections.ask(silent.link, "makeFolder", { path: "YQ" });
    waiting.catch(() => {});
    await vi.advanceTimersByTimeAsync(31_000);
    await expect(waiting).rejects.toMatchObject({ code: "sandbox_not_ready" });
    expect(silent.near.size).toBe(0);
  });

  it("is one of a bounded number, which is free again afterwards", async () => {
    const { link, channels } = agentThat(() => {});
    const calls = Array.from({ length: workspaceLimits.calls }, () =>
      connections.ask(link, "makeFolder", { path: "YQ" }),
    );
    for (const call of calls) call.catch(() => {});
    const one = () => connections.ask(link, "makeFolder", { path: "YQ" });
    await expect(one()).rejects.toMatchObject({ code: "limit_exceeded" });
    await vi.waitFor(() => expect(channels).toHaveLength(workspaceLimits.calls));
    for (const channel of channels) {
      answers(null)(channel);
      channel.close();
    }
    await Promise.all(calls);
    const more = one();
    await vi.waitFor(() => expect(channels).toHaveLength(workspaceLimits.calls + 1));
    channels.at(-1)?.close({ code: "not_found" });
    await expect(more).rejects.toMatchObject({ code: "not_found" });
  });

  it("begins at a pace that a link bears, however many there are", async () => {
    const { link } = agentThat((channel) => channel.close({ code: "not_found" }));
    const one = () => connections.ask(link, "makeFolder", { path: "YQ" }).catch(() => {});
    const start = performance.now();
    for (let turn = 0; turn < 40; turn += 1) await Promise.all(Array.from({ length: 10 }, one));
    // 400 calls at 300 a second, of which 300 ms' worth are free.
    expect(performance.now() - start).toBeGreaterThan(900);
  });

  it("never has more than half of a window under way, in frames that let keys pass", async () => {
    const sizes: number[] = [];
    const { link } = agentThat((channel) => {
      channel.handle({ onData: (bytes) => sizes.push(bytes.byteLength), onClose: () => {} });
      channel.sendMessage({ type: "ready" });
    });
    async function* input() {
      yield Buffer.alloc(1024 * 1024);
    }
    const call = connections.ask(link, "write", { path: "YQ", maxBytes: 1 }, { input: input() });
    call.catch(() => {});
    await vi.waitFor(() => expect(sizes.length).toBeGreaterThan(3));
    await new Promise(setImmediate);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(64 * 1024);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(256 * 1024 + 64 * 1024);
  });

  it("asks for the facts of many paths at once", async () => {
    const { link } = agentThat((channel) => {
      const parts: Buffer[] = [];
      channel.handle({
        onData: (bytes) => {
          parts.push(Buffer.from(bytes));
          channel.consumed(bytes.byteLength);
        },
        onMessage: () => {
          answers(null)(channel);
          const paths = Buffer.concat(parts).toString().split("\0").slice(0, -1);
          for (const path of paths)
            says(channel, `${path === "none" ? "null" : JSON.stringify({ ...facts, size: path.length })}\n`);
          channel.close();
        },
      });
      channel.sendMessage({ type: "ready" });
    });
    const found = await statPaths(
      connections,
      link,
      ["a", "none", "ccc"].map((path) => Buffer.from(path)),
    );
    expect(found.map((each) => each?.size)).toEqual([1, undefined, 3]);
  });
});
