import { describe, expect, it } from "vitest";
import { encodeFrame, frameTypes, linkLimits } from "../../src/link/frames.ts";
import { type Channel, type CloseReason, relay } from "../../src/link/index.ts";
import { MemoryLink } from "./support/memory-link.ts";

/** A channel from `near` over two links to `far`. */
function relayedChannel() {
  const inner = new MemoryLink();
  const outer = new MemoryLink({
    onOpen: (channel, kind, params) => relay(channel, inner.dialler.mux.open(kind, params)),
  });
  const deliverAll = () => {
    for (let frames = 1; frames > 0; ) {
      frames = [...outer.ends, ...inner.ends].reduce((sum, { arriving }) => sum + arriving.length, 0);
      outer.deliverAll();
      inner.deliverAll();
    }
  };
  const near = outer.dialler.mux.open("terminal", { id: 1 });
  deliverAll();
  const opened = inner.listener.opened[0];
  if (!opened) throw new Error("the relay opened nothing");
  return { inner, outer, near, far: opened.channel, opened, deliverAll };
}

function reasonsOf(channel: Channel): CloseReason[] {
  const reasons: CloseReason[] = [];
  channel.handle({ onClose: (reason) => void reasons.push(reason) });
  return reasons;
}

describe("a relay", () => {
  it("passes kind, parameters and messages both ways", () => {
    const { near, far, opened, deliverAll } = relayedChannel();
    expect([opened.kind, opened.params]).toEqual(["terminal", { id: 1 }]);
    const said: unknown[] = [];
    for (const channel of [near, far]) channel.handle({ onMessage: (message) => void said.push(message) });
    near.sendMessage({ to: "far" });
    deliverAll();
    far.sendMessage({ to: "near" });
    deliverAll();
    expect(said).toEqual([{ to: "far" }, { to: "near" }]);
  });

  it.each(["near", "far"] as const)("passes a close from its %s end on, with its reason", (from) => {
    const ends = relayedChannel();
    const reasons = reasonsOf(from === "near" ? ends.far : ends.near);
    ends[from].close({ code: "done", detail: "with it" });
    ends.deliverAll();
    expect(reasons).toEqual([{ code: "done", detail: "with it" }]);
    for (const { mux } of [...ends.inner.ends, ...ends.outer.ends]) expect(mux.size).toBe(0);
  });

  it("tells one end when the other's link is gone", () => {
    const { inner, near, deliverAll } = relayedChannel();
    const reasons = reasonsOf(near);
    inner.dialler.mux.close("pty_host_unavailable");
    deliverAll();
    expect(reasons).toEqual([{ code: "pty_host_unavailable" }]);
  });

  it("tells the far end when the near link is gone", () => {
    const { outer, far, deliverAll } = relayedChannel();
    const reasons = reasonsOf(far);
    outer.listener.mux.close("agent_link_closed");
    deliverAll();
    expect(reasons).toEqual([{ code: "agent_link_closed" }]);
  });

  it("drops what comes for an end that has closed", () => {
    const { near, far, deliverAll } = relayedChannel();
    near.handle({ onData: () => expect.unreachable("it is closed") });
    far.send(new Uint8Array(10));
    near.close();
    far.send(new Uint8Array(10));
    deliverAll();
    expect(far.closed).toBe(true);
  });

  it.each([
    ["grows when it is written anew", `[${Array(200_000).fill("1e20").join(",")}]`],
    ["is nested too deeply to be written", `${"[".repeat(300_000)}${"]".repeat(300_000)}`],
  ])("ends the channel, and not the link, over a message that %s", (_, text) => {
    const { inner, near, far, deliverAll } = relayedChannel();
    const reasons = [reasonsOf(near), reasonsOf(far)];
    const payload = new TextEncoder().encode(text);
    expect(payload.byteLength).toBeLessThan(linkLimits.maxMessageBytes);
    inner.dialler.mux.receive(encodeFrame(frameTypes.message, 2, payload));
    deliverAll();
    for (const [reason] of reasons) expect(reason?.code).toBe("payload_too_large");
    expect(inner.channel().near.closed).toBe(false);
  });
});
