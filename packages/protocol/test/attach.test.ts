import fc from "fast-check";
import { Value } from "typebox/value";
import { describe, expect, it } from "vitest";
import {
  attachLimits,
  attachParams,
  attachParamsSchema,
  attachQuerySchema,
  parseClientMessage,
  parseServerMessage,
} from "../src/index.ts";

const attached = {
  type: "attached",
  epoch: 1,
  offset: 0,
  mode: "exact",
  cols: 80,
  rows: 24,
  windowBytes: 65536,
  inputOffset: 0,
};

describe("what the PTY host is asked for", () => {
  it("is little when the query says nothing", () => {
    expect(attachParams("trm_a", {})).toEqual({
      terminalId: "trm_a",
      scrollbackLines: attachLimits.defaultScrollbackLines,
      readOnly: false,
    });
  });

  it("is all that the query says", () => {
    const query = { cols: 80, rows: 24, from: "3:12345", scrollback: 0, input: "s-1_x:77" };
    expect(attachParams("trm_a", query, true)).toEqual({
      terminalId: "trm_a",
      cols: 80,
      rows: 24,
      from: { epoch: 3, offset: 12345 },
      scrollbackLines: 0,
      input: { stream: "s-1_x", offset: 77 },
      readOnly: true,
    });
  });

  it("has a size only when both sides of it are known", () => {
    expect(attachParams("trm_a", { cols: 80 })).not.toHaveProperty("cols");
    expect(attachParams("trm_a", { rows: 24 })).not.toHaveProperty("rows");
  });

  it("is valid for every query that is", () => {
    const digits = fc.stringMatching(/^[0-9]{1,16}$/);
    const query = fc.record(
      {
        cols: fc.integer({ min: 1, max: attachLimits.maxCols }),
        rows: fc.integer({ min: 1, max: attachLimits.maxRows }),
        from: fc.tuple(digits, digits).map((parts) => parts.join(":")),
        scrollback: fc.integer({ min: 0, max: attachLimits.maxScrollbackLines }),
        input: fc.tuple(fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/), digits).map((parts) => parts.join(":")),
      },
      { requiredKeys: [] },
    );
    const greatest = "9999999999999999";
    fc.assert(
      fc.property(query, (asked) => {
        expect(Value.Check(attachQuerySchema, asked)).toBe(true);
        expect(Value.Check(attachParamsSchema, attachParams("trm_a", asked))).toBe(true);
      }),
      { examples: [[{ from: `${greatest}:${greatest}`, input: `x:${greatest}` }]] },
    );
  });

  it.each([
    { from: "1" },
    { from: "1:" },
    { from: ":1" },
    { from: "-1:0" },
    { from: "1:1:1" },
    { from: "1:1\n" },
    { from: "0x1:1" },
    { from: `1:${"1".repeat(17)}` },
    { input: ":0" },
    { input: "a b:0" },
    { input: `${"a".repeat(65)}:0` },
    { cols: 0 },
    { cols: 1001 },
    { rows: 501 },
    { scrollback: -1 },
    { scrollback: 10_001 },
  ])("cannot be had from %j", (query) => {
    expect(Value.Check(attachQuerySchema, query)).toBe(false);
  });
});

describe("a control message", () => {
  it.each([
    { type: "resize", cols: 1, rows: 1 },
    { type: "ack", offset: Number.MAX_SAFE_INTEGER },
  ])("%j is a viewer's", (message) => {
    expect(parseClientMessage(JSON.stringify(message))).toEqual(message);
    expect(parseServerMessage(JSON.stringify(message))).toBeUndefined();
  });

  it.each([
    attached,
    { ...attached, mode: "snapshot", approximate: true },
    { type: "resync", epoch: 1, offset: 9 },
    { type: "resized", cols: 80, rows: 24 },
    { type: "inputAck", offset: 0 },
    { type: "exit", code: 0, signal: null },
    { type: "exit", code: null, signal: "SIGKILL" },
    { type: "exit", code: null, signal: null },
    { type: "error", code: "invalid_request", detail: "no" },
  ])("%j is the server's", (message) => {
    expect(parseServerMessage(JSON.stringify(message))).toEqual(message);
    expect(parseClientMessage(JSON.stringify(message))).toBeUndefined();
  });

  it.each([
    "",
    " ",
    "{",
    "null",
    "0",
    '"resize"',
    "[]",
    "{}",
    '{"type":"resize"}',
    '{"type":"resize","cols":0,"rows":24}',
    '{"type":"resize","cols":80,"rows":501}',
    '{"type":"resize","cols":80.5,"rows":24}',
    '{"type":"resize","cols":"80","rows":24}',
    '{"type":"ack","offset":-1}',
    '{"type":"ack","offset":9007199254740992}',
    '{"type":"ack","offset":1e999}',
    '{"type":["ack"],"offset":1}',
    '{"type":"exit","code":0}',
    '{"type":"attached","epoch":0}',
    "[".repeat(200_000),
    `${"[".repeat(200_000)}${"]".repeat(200_000)}`,
  ])("is not %.40s", (text) => {
    expect(parseClientMessage(text)).toBeUndefined();
    expect(parseServerMessage(text)).toBeUndefined();
  });

  it("is found in no garbage", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: "binary" }), fc.json()), (text) => {
        expect(parseClientMessage(text)).toBeUndefined();
        expect(parseServerMessage(text)).toBeUndefined();
      }),
    );
  });
});
