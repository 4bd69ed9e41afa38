import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  deleteTerminal,
  getOperation,
  type Operation,
  type Sandbox,
  sleepSandbox,
  terminalInput,
  updateSandbox,
  wakeSandbox,
} from "@berth/protocol";
import { eventually } from "@berth/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Berth } from "./berth.ts";
import { SleepingBerth, sleepAfterMs } from "./sleeping-berth.ts";

/** Claude asks before it touches files, and runs anything else. */
const permissions = { permissions: { allow: ["Bash(sleep:*)"], ask: ["Bash(touch:*)"] } };

describe("a sandbox that sleeps when nobody uses it", () => {
  let sleeping: SleepingBerth;
  let berth: Berth;
  let busy: Sandbox;

  beforeAll(async () => {
    sleeping = await SleepingBerth.start();
    ({ berth } = sleeping);
    busy = await berth.readySandbox({ name: "busy", env: sleeping.claudeEnvironment, sleepAfterMinutes: "off" });
  });
  afterAll(() => sleeping?.dispose());

  const ended = (operation: Operation) =>
    eventually(async () => {
      const now = await berth.client.call(getOperation, { params: { id: operation.id } });
      return now.finishedAt === null ? undefined : now;
    });

  it("is one where Claude neither works, nor waits for a permission, nor runs anything in the background", async () => {
    const settings = join(await berth.rootOf(busy), "workspace", ".claude");
    await mkdir(settings, { recursive: true });
    await writeFile(join(settings, "settings.json"), JSON.stringify(permissions));
    const works = await berth.openTerminal(busy.id, { kind: "claude", cols: 100, rows: 30 });
    await eventually(async () => /^\s*❯/m.test((await sleeping.screen(works)).text) || undefined, {
      timeoutMs: 20_000,
    });
    await berth.client.call(updateSandbox, { params: { id: busy.id }, body: { sleepAfterMinutes: null } });
    await sleeping.tell(works, `run sleep ${(sleepAfterMs * 5) / 1_000}`);
    await sleeping.attention(works, "working");
    await sleeping.staysReady(busy.id);
    expect((await sleeping.seen(busy.id)).idle.uses).toContainEqual({ kind: "claude" });
    const refused = await berth.client.call(sleepSandbox, { params: { id: busy.id } });
    expect(await ended(refused.operation)).toMatchObject({ state: "failed", error: { code: "in_use" } });
    await sleeping.attention(works, "idle");

    await sleeping.tell(works, "run touch here");
    await sleeping.attention(works, "waiting");
    expect(await sleeping.seen(busy.id)).toMatchObject({ attention: "waiting" });
    await sleeping.staysReady(busy.id);
    // No hook tells of Esc.
    await berth.client.call(terminalInput, { params: { id: works.id }, query: {}, body: { keys: ["Escape"] } });
    await sleeping.attention(works, "idle");
    await sleeping.inState(busy.id, "asleep");
    await berth.client.call(deleteTerminal, { params: { id: works.id } });
  });

  it("is one where no program has a terminal", async () => {
    const argv = ["sh", "-c", "sleep 600"];
    await berth.client.call(wakeSandbox, { params: { id: busy.id } });
    await sleeping.inState(busy.id, "ready");
    const program = await berth.openTerminal(busy.id, { kind: "exec", argv });
    await sleeping.staysReady(busy.id);
    expect((await sleeping.seen(busy.id)).idle.uses).toContainEqual({ kind: "program", detail: "sleep" });
    await berth.client.call(deleteTerminal, { params: { id: program.id } });
  });
});
