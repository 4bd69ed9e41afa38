import { describe, expect, it } from "vitest";
import { flushPacket, PacketReader, packet } from "../src/projects/served/pkt-line.ts";
import { refusedPush } from "../src/projects/served/push-policy.ts";
import { readPushRequest } from "../src/projects/served/ref-update.ts";
import { encodeReport, readReport } from "../src/projects/served/report.ts";

const one = "1".repeat(40);
const two = "2".repeat(40);
const none = "0".repeat(40);

/** In pieces of so many bytes. */
async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < bytes.byteLength; offset += size) yield bytes.subarray(offset, offset + size);
}

describe("what a git push asks for", () => {
  const asked = Buffer.concat([
    packet(`${none} ${one} refs/heads/new\0report-status side-band-64k agent=git/2.39`),
    packet(`${one} ${two} refs/heads/old\n`),
    packet(`${one} ${none} refs/tags/gone`),
    flushPacket,
    Buffer.from("PACK and so on"),
  ]);

  it.each([1, 7, 10_000])("is read as it comes, %i bytes at a time, and its pack is left as it is", async (size) => {
    const reader = new PacketReader(pieces(asked, size));
    const request = await readPushRequest(reader);
    expect(request?.updates).toEqual([
      { ref: "refs/heads/new", from: undefined, to: one },
      { ref: "refs/heads/old", from: one, to: two },
      { ref: "refs/tags/gone", from: one, to: undefined },
    ]);
    expect(request?.capabilities.has("side-band-64k")).toBe(true);
    const rest: Uint8Array[] = [];
    for await (const chunk of reader.rest()) rest.push(chunk);
    expect(Buffer.concat(rest).toString()).toBe("PACK and so on");
  });

  it("may be nothing", async () => {
    expect(await readPushRequest(new PacketReader(pieces(flushPacket, 4)))).toBeUndefined();
    expect(await readPushRequest(new PacketReader(pieces(Buffer.alloc(0), 4)))).toBeUndefined();
  });

  it.each([
    "zzzz",
    "0003",
    "ffff",
    "0010abc",
    packet("push-cert\0side-band-64k").toString(),
    packet(`${one} ${two} HEAD`).toString(),
    packet(`${one} ${two} refs/heads/a b`).toString(),
    packet(`${one} ${two} refs/heads/a\u0007`).toString(),
    packet(`${one} ${two.slice(1)} refs/heads/a`).toString(),
  ])("is not believed as %j", async (text) => {
    await expect(readPushRequest(new PacketReader(pieces(Buffer.from(text), 5)))).rejects.toThrow();
  });

  it("is bounded", async () => {
    const many = Buffer.concat(Array.from({ length: 600 }, (_, at) => packet(`${one} ${two} refs/heads/b${at}`)));
    await expect(readPushRequest(new PacketReader(pieces(many, 1000)))).rejects.toThrow(/too much/);
  });
});

describe("what became of a push", () => {
  it("is told as git tells it, with words for people before it", async () => {
    const refs = new Map([
      ["refs/heads/a", null],
      ["refs/heads/b", "not\nallowed"],
    ]);
    const encoded = encodeReport({ unpack: "ok", refs }, ["ask \u001b[31msomebody"]);
    const reader = new PacketReader(pieces(encoded, 9));
    expect((await reader.next())?.toString()).toBe("\u0002ask  [31msomebody\n");
    const report = await reader.next();
    expect(Buffer.isBuffer(report) && report[0]).toBe(1);
    const told = await readReport(Buffer.isBuffer(report) ? report.subarray(1) : Buffer.alloc(0));
    expect(told).toEqual({ unpack: "ok", refs: new Map([...refs, ["refs/heads/b", "not allowed"]]) });
    expect(await reader.next()).toBe("flush");
  });
});

describe("what a sandbox may push", () => {
  const may = (
    policy: "none" | "own" | "own-rewrite" | "any",
    ref: string,
    change: { to?: string | undefined; rewrites?: boolean } = {},
  ) =>
    refusedPush(
      { name: "web", branch: "berth/web", policy },
      { ref, from: one, to: "to" in change ? change.to : two },
      change.rewrites ?? false,
    ) === undefined;

  it("is by default new commits on branches of its own", () => {
    expect(may("own", "refs/heads/berth/web")).toBe(true);
    expect(may("own", "refs/heads/berth/web.topic")).toBe(true);
    // The branch of another sandbox, whose name may begin like this one's.
    expect(may("own", "refs/heads/berth/web-2")).toBe(false);
    expect(may("own", "refs/heads/main")).toBe(false);
    expect(may("own", "refs/tags/berth/web")).toBe(false);
    expect(may("own", "refs/heads/berth/web", { rewrites: true })).toBe(false);
    expect(may("own", "refs/heads/berth/web", { to: undefined, rewrites: true })).toBe(false);
  });

  it("is what its owner allows", () => {
    expect(may("own-rewrite", "refs/heads/berth/web", { rewrites: true })).toBe(true);
    expect(may("own-rewrite", "refs/heads/main")).toBe(false);
    expect(may("any", "refs/heads/main", { to: undefined, rewrites: true })).toBe(true);
    expect(may("any", "refs/tags/v1")).toBe(true);
    expect(may("none", "refs/heads/berth/web")).toBe(false);
  });

  it("is never what is no branch and no tag, or of a name that Berth does not take", () => {
    for (const ref of ["refs/sandboxes/x/head", "refs/notes/x", "refs/heads/-f", "refs/heads/a..b", "refs/tags/a.lock"])
      expect(may("any", ref)).toBe(false);
  });
});
