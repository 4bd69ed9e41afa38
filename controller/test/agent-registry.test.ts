import { ManualClock } from "@berth/testkit";
import { beforeEach, expect, it } from "vitest";
import { WebSocket } from "ws";
import { AgentLink } from "../src/agents/link.ts";
import { AgentRegistry } from "../src/agents/registry.ts";

const sandboxId = `sbx_${"1".repeat(20)}`;
let clock: ManualClock;
let registry: AgentRegistry;

beforeEach(() => {
  clock = new ManualClock(0);
  registry = new AgentRegistry(clock);
});

/** A link that never opens: nobody listens there. */
function link(): AgentLink {
  const onHello = () => Promise.reject(new Error("nobody says hello"));
  return new AgentLink({
    ...{ sandboxId, socket: new WebSocket("ws://127.0.0.1:1"), onHello },
    onTerminal: () => {},
    onFrame: () => {},
    onActivity: () => {},
    onViolation: () => {},
  });
}

it("counts the absence of an agent that never came from when it could have come at all", async () => {
  expect(registry.awaySince(sandboxId)).toBe(0);
  await clock.advance(5_000);
  registry.open();
  await clock.advance(1_000);
  expect(registry.awaySince(sandboxId)).toBe(5_000);
});

it("counts it from the loss of its link once it has had one, whatever is opened later", async () => {
  registry.open();
  const first = link();
  registry.put(first);
  await clock.advance(3_000);
  expect(registry.remove(first)).toBe(true);
  await clock.advance(2_000);
  registry.open();
  expect(registry.awaySince(sandboxId)).toBe(3_000);
  expect(registry.remove(first)).toBe(false);
  expect(registry.awaySince(sandboxId)).toBe(3_000);
});

it("counts it anew when it has come back and is lost again", async () => {
  const first = link();
  registry.put(first);
  registry.remove(first);
  await clock.advance(4_000);
  const second = link();
  registry.put(second);
  await clock.advance(4_000);
  registry.remove(second);
  expect(registry.awaySince(sandboxId)).toBe(8_000);
});

it("counts it from when its container stopped, and keeps nothing of a sandbox that is no more", async () => {
  registry.open();
  await clock.advance(7_000);
  registry.drop(sandboxId);
  await clock.advance(1_000);
  expect(registry.awaySince(sandboxId)).toBe(7_000);
  registry.forget(sandboxId);
  expect(registry.awaySince(sandboxId)).toBe(0);
});
