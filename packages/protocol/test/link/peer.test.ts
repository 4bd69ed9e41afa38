import Type from "typebox";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { LinkViolation } from "../../src/link/frames.ts";
import { CallFailure, MessageTooLong, noInterface, Peer } from "../../src/link/index.ts";
import { MemoryLink } from "./support/memory-link.ts";

const served = {
  methods: {
    double: { params: Type.Object({ value: Type.Integer() }), result: Type.Integer() },
    slow: { params: Type.Object({}), result: Type.Null() },
    echo: { params: Type.Object({ text: Type.String() }), result: Type.Object({ text: Type.String() }) },
  },
  events: { said: Type.Object({ text: Type.String({ maxLength: 10 }) }) },
} as const;

/** A caller, and what it sent; the test answers by hand. */
function handAnswered(callTimeoutMs = 1000) {
  const sent: unknown[] = [];
  const events: unknown[] = [];
  const peer = new Peer<typeof noInterface, typeof served>({
    local: noInterface,
    remote: served,
    handlers: {},
    send: (message) => void sent.push(message),
    onEvent: (event, data) => void events.push({ event, data }),
    callTimeoutMs,
  });
  return { peer, sent, events };
}

/** A serving end, and its answers. */
function serving(
  handlers: Partial<ConstructorParameters<typeof Peer<typeof served, typeof noInterface>>[0]["handlers"]>,
) {
  const answers: unknown[] = [];
  const peer = new Peer<typeof served, typeof noInterface>({
    local: served,
    remote: noInterface,
    handlers: {
      double: ({ value }) => 2 * value,
      slow: () => null,
      echo: async ({ text }) => ({ text }),
      ...handlers,
    },
    send: (message) => void answers.push(message),
  });
  const request = (method: string, params: unknown, id = 1) => peer.receive({ type: "request", id, method, params });
  const answer = () => vi.waitFor(() => expect(answers.at(-1)).toBeDefined()).then(() => answers.at(-1));
  return { peer, answers, request, answer };
}

/** Two peers over a link in memory that delivers at once. */
function joined() {
  const link = new MemoryLink();
  const said: unknown[] = [];
  const server = new Peer<typeof served, typeof noInterface>({
    local: served,
    remote: noInterface,
    handlers: {
      double: ({ value }) => 2 * value,
      slow: () => new Promise(() => {}),
      echo: ({ text }) => ({ text: text.repeat(3) }),
    },
    send: (message) => link.listener.mux.sendControl(message),
  });
  const client = new Peer<typeof noInterface, typeof served>({
    local: noInterface,
    remote: served,
    handlers: {},
    send: (message) => link.dialler.mux.sendControl(message),
    onEvent: (event, data) => void said.push([event, data]),
  });
  const pump = () => {
    link.deliverAll();
    for (const message of link.listener.control.splice(0)) server.receive(message);
    for (const message of link.dialler.control.splice(0)) client.receive(message);
  };
  return { client, server, said, pump };
}

async function failureOf(call: Promise<unknown>): Promise<CallFailure> {
  const error = await call.catch((reason: unknown) => reason);
  if (!(error instanceof CallFailure)) throw new Error(`not a failed call: ${String(error)}`);
  return error;
}

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
afterEach(() => {
  // Every call that was settled has stopped its timer.
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

describe("a call", () => {
  it("is answered with its result, whatever the order of the answers", async () => {
    const { peer, sent } = handAnswered();
    const [first, second] = [peer.call("double", { value: 1 }), peer.call("double", { value: 2 })];
    expect(sent).toEqual([
      { type: "request", id: 1, method: "double", params: { value: 1 } },
      { type: "request", id: 2, method: "double", params: { value: 2 } },
    ]);
    peer.receive({ type: "result", id: 2, result: 4 });
    peer.receive({ type: "result", id: 1, result: 2 });
    expect(await Promise.all([first, second])).toEqual([2, 4]);
  });

  it("fails with the peer's code and detail", async () => {
    const { peer } = handAnswered();
    const call = peer.call("slow", {});
    peer.receive({ type: "failure", id: 1, code: "conflict", detail: "Not now." });
    expect(await failureOf(call)).toMatchObject({ code: "conflict", message: "Not now." });
  });

  it("fails after its timeout, and its late answer is nobody's", async () => {
    const { peer } = handAnswered();
    const calls = [peer.call("slow", {}), peer.call("slow", {}, 50)].map(failureOf);
    vi.advanceTimersByTime(50);
    expect(await calls[1]).toMatchObject({ code: "timeout" });
    expect(vi.getTimerCount()).toBe(1);
    vi.advanceTimersByTime(950);
    expect(await calls[0]).toMatchObject({ code: "timeout" });
    peer.receive({ type: "result", id: 1, result: "whatever" });
    peer.receive({ type: "failure", id: 2, code: "x", detail: "y" });
  });

  it("fails and breaks the link when its result does not fit", async () => {
    const { peer } = handAnswered();
    const call = failureOf(peer.call("double", { value: 1 }));
    expect(() => peer.receive({ type: "result", id: 1, result: "two" })).toThrow(LinkViolation);
    expect((await call).code).toBe("invalid_result");
  });

  it("fails when the link closes, and at once after that", async () => {
    const { peer, sent } = handAnswered();
    const calls = [peer.call("slow", {}), peer.call("double", { value: 1 })].map(failureOf);
    peer.close();
    for (const call of calls) expect((await call).code).toBe("link_closed");
    expect((await failureOf(peer.call("slow", {}))).code).toBe("link_closed");
    expect(sent).toHaveLength(2);
  });

  it("fails where 256 others wait, and not once one of them is answered", async () => {
    const { peer, sent } = handAnswered();
    const waiting = Array.from({ length: 256 }, () => failureOf(peer.call("slow", {})));
    expect((await failureOf(peer.call("slow", {}))).code).toBe("too_many_calls");
    expect(sent).toHaveLength(256);
    peer.receive({ type: "failure", id: 7, code: "x", detail: "" });
    const next = failureOf(peer.call("slow", {}));
    expect(sent).toHaveLength(257);
    peer.close();
    await Promise.all([...waiting, next]);
  });

  it("that is too large is refused before it is sent, and the link goes on", async () => {
    const { client, pump } = joined();
    const call = client.call("echo", { text: "x".repeat(2 * 1024 * 1024) });
    await expect(call).rejects.toBeInstanceOf(MessageTooLong);
    const next = client.call("double", { value: 21 });
    await settle(pump);
    expect(await next).toBe(42);
  });

  it("whose answer is too large fails, and the link goes on", async () => {
    const { client, pump } = joined();
    const call = failureOf(client.call("echo", { text: "x".repeat(600_000) }));
    await settle(pump);
    expect((await call).code).toBe("payload_too_large");
  });
});

describe("a served call", () => {
  it("is answered with what its handler gives", async () => {
    const { request, answer } = serving({});
    request("echo", { text: "hi" }, 9);
    expect(await answer()).toEqual({ type: "result", id: 9, result: { text: "hi" } });
  });

  it.each(["none", "toString", "__proto__", ""])("of the name %j is unknown", async (name) => {
    const { request, answer } = serving({});
    request(name, {});
    expect(await answer()).toMatchObject({ type: "failure", id: 1, code: "unknown_method" });
  });

  it.each([undefined, null, {}, { value: "1" }, { value: 1.5 }, [1]])(
    "is refused with the parameters %j",
    async (params) => {
      const double = vi.fn();
      const { request, answer } = serving({ double });
      request("double", params ?? null);
      expect(await answer()).toMatchObject({ type: "failure", code: "invalid_request" });
      expect(double).not.toHaveBeenCalled();
    },
  );

  it("fails with the code of its error, else as internal, within the bounds of an answer", async () => {
    const failing = async (error: unknown) => {
      const { request, answer } = serving({ slow: () => Promise.reject(error) });
      request("slow", {});
      return answer();
    };
    expect(await failing(new CallFailure("conflict", "Not now."))).toMatchObject({
      code: "conflict",
      detail: "Not now.",
    });
    expect(await failing(new Error("bug"))).toMatchObject({ code: "internal", detail: "bug" });
    expect(await failing("text")).toMatchObject({ code: "internal", detail: "unknown error" });
    const long = await failing(new CallFailure("c".repeat(100), "d".repeat(5000)));
    expect(long).toMatchObject({ code: "c".repeat(64), detail: "d".repeat(4096) });
    const { peer, sent } = handAnswered();
    const call = failureOf(peer.call("slow", {}));
    expect(sent).toHaveLength(1);
    peer.receive(long);
    await call;
  });

  it("is refused where 256 others are served", async () => {
    const { peer, request, answers } = serving({ slow: () => new Promise(() => {}) });
    for (let id = 1; id <= 257; id += 1) request("slow", {}, id);
    expect(answers).toEqual([expect.objectContaining({ type: "failure", id: 257, code: "too_many_calls" })]);
    peer.close();
  });

  it("is not answered after the link closed", async () => {
    const { promise, resolve } = Promise.withResolvers<null>();
    const { peer, request, answers } = serving({ slow: () => promise });
    request("slow", {});
    peer.close();
    resolve(null);
    await promise;
    for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
    expect(answers).toEqual([]);
  });
});

describe("an event", () => {
  it("reaches the peer", () => {
    const { server, said, pump } = joined();
    server.emit("said", { text: "hello" });
    pump();
    expect(said).toEqual([["said", { text: "hello" }]]);
    server.close();
    server.emit("said", { text: "late" });
    pump();
    expect(said).toHaveLength(1);
  });

  it.each<[string, unknown]>([
    ["said", { text: 1 }],
    ["said", { text: "longer than ten" }],
    ["said", null],
    ["unsaid", {}],
    ["toString", {}],
  ])("%s with %j breaks the link", (event, data) => {
    const { peer, events } = handAnswered();
    expect(() => peer.receive({ type: "event", event, data })).toThrow(LinkViolation);
    expect(events).toEqual([]);
  });
});

it.each([
  null,
  1,
  "request",
  [],
  {},
  { type: "other" },
  { type: "request", id: 0, method: "x", params: {} },
  { type: "request", id: 1.5, method: "x", params: {} },
  { type: "request", id: 2 ** 53, method: "x", params: {} },
  { type: "request", id: 1, method: "x".repeat(65), params: {} },
  { type: "failure", id: 1, code: 5, detail: "" },
  { type: "failure", id: 1, code: "x", detail: "d".repeat(4097) },
  { type: "event", event: 1, data: {} },
])("the control message %j breaks the link", (message) => {
  const { peer } = handAnswered();
  expect(() => peer.receive(message)).toThrow(LinkViolation);
});

/** Delivers until promises that are under way have had their turns. */
async function settle(pump: () => void): Promise<void> {
  for (let turn = 0; turn < 10; turn += 1) {
    pump();
    await Promise.resolve();
  }
}
