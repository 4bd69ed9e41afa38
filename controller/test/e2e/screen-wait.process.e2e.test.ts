import { type Sandbox, type ScreenWaitQuery, terminalInput, terminalScreen } from "@berth/protocol";
import { eventually } from "@berth/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Berth, startBerth } from "./berth.ts";
import { killProgram } from "./sandbox-programs.ts";

type Body = { text?: string; submit?: boolean; keys?: string[] };

describe("a script that waits for a terminal", () => {
  let berth: Berth;
  let sandbox: Sandbox;

  beforeAll(async () => {
    berth = await startBerth();
    sandbox = await berth.readySandbox();
  });
  afterAll(() => berth.dispose());

  const exec = async (script: string) =>
    (await berth.openTerminal(sandbox.id, { kind: "exec", argv: ["bash", "-c", script], cols: 100 })).id;
  const screen = (id: string, query: ScreenWaitQuery = {}, signal?: AbortSignal) =>
    berth.client.call(terminalScreen, { params: { id }, query }, signal ? { signal } : {});
  const type = (id: string, body: Body, query: ScreenWaitQuery = {}, idempotencyKey?: string) =>
    berth.client.call(terminalInput, { params: { id }, body, query }, idempotencyKey ? { idempotencyKey } : {});

  it("is answered when the text is there, and told when it is not in time", async () => {
    const id = await exec("echo booting; sleep 0.5; echo READY; read -r x");
    const ready = await screen(id, { waitFor: "text:READY" });
    expect(ready).toMatchObject({ matched: true, state: "running", cols: 100 });
    expect(ready.text).toBe("booting\nREADY");
    expect(await screen(id, { waitFor: "text:never", timeoutMs: 100 })).toMatchObject({ matched: false });
    expect(await screen(id)).not.toHaveProperty("matched");
  });

  it("types and gets what came of it, without what was there before", async () => {
    const id = await exec("PS1= ; echo 'done.'; while read -r x; do sleep 0.2; echo \"$x is done.\"; done");
    await screen(id, { waitFor: "text:done." });
    const answer = await type(id, { text: "one", submit: true }, { waitFor: "text:done." });
    expect(answer).toMatchObject({ matched: true });
    expect(answer?.text).toContain("one is done.");
    const before = await screen(id);
    expect(await type(id, { text: "two", submit: true })).toBeUndefined();
    const since = `${before.epoch}:${before.offset}`;
    const later = await screen(id, { waitFor: "text:is done.", since });
    expect(later.text).toContain("two is done.");
    const silent = await type(id, { text: "three", submit: true }, { waitFor: "idle:600" });
    expect(silent).toMatchObject({ matched: true, text: expect.stringContaining("three is done.") });
  });

  it("types once, and waits each time, when the call is repeated with its key", async () => {
    const id = await exec('stty -echo; echo up; while read -r x; do echo "<$x>"; done');
    await screen(id, { waitFor: "text:up" });
    const again = () => type(id, { text: "hey", submit: true }, { waitFor: "text:<hey>" }, "once");
    for (const answer of [await again(), await again(), ...(await Promise.all([again(), again()]))]) {
      expect(answer).toMatchObject({ matched: true, text: "up\n<hey>" });
    }
  });

  it("presses keys by their names, and pastes several lines", async () => {
    const id = await exec("cat > typed; echo the end; read -r x");
    await type(id, { text: "one\ntwo", submit: true });
    const ended = await type(id, { keys: ["C-d"] }, { waitFor: "text:the end" });
    expect(ended?.text).toContain("one\ntwo\nthe end");
    await expect(type(id, { keys: ["Entr"] })).rejects.toMatchObject({ code: "invalid_request" });
    await expect(type(id, {})).rejects.toMatchObject({ code: "invalid_request" });
    const interrupted = await type(id, { keys: ["C-c"] }, { waitFor: "text:never" });
    expect(interrupted).toMatchObject({ matched: false, state: "exited" });
  });

  it("is refused what makes no sense, before anything is typed", async () => {
    const id = await exec("stty -echo; echo up; read -r x; echo typed");
    await screen(id, { waitFor: "text:up" });
    const senseless: ScreenWaitQuery[] = [
      { waitFor: "regex:a+" },
      { waitFor: "idle:60001" },
      { waitFor: "text:" },
      { timeoutMs: 100 },
      { since: "1:0" },
      { waitFor: "idle:10", since: "1:0" },
      { waitFor: "text:x", timeoutMs: 60_001 },
    ];
    for (const query of senseless) {
      const refused = type(id, { submit: true }, query);
      await expect(refused, JSON.stringify(query)).rejects.toMatchObject({ code: "invalid_request" });
    }
    const ahead = screen(id, { waitFor: "text:x", since: "1:999999" });
    await expect(ahead).rejects.toMatchObject({ code: "invalid_request" });
    expect((await screen(id)).text).toBe("up");
  });

  it("ends its wait by going, and leaves room for others", async () => {
    const id = await exec("read -r x; echo READY; read -r x");
    const gone = new AbortController();
    // More than there may be, since the looks below take the place of one now and then.
    const waiting = Array.from({ length: 16 }, () =>
      screen(id, { waitFor: "text:READY", timeoutMs: 60_000 }, gone.signal).catch((error: unknown) => error),
    );
    const full = () =>
      screen(id, { waitFor: "text:READY", timeoutMs: 0 }).then(
        () => false,
        (error: { code?: string }) => error.code === "limit_exceeded",
      );
    await eventually(full, { what: "as many waits as there may be" });
    gone.abort();
    await Promise.all(waiting);
    await eventually(async () => !(await full()), { what: "room for another wait" });
  });

  it("is told clearly when the agent, the PTY host or the controller goes", async () => {
    const id = await exec("echo up; read -r x");
    const wait = () => screen(id, { waitFor: "text:never", timeoutMs: 30_000 });
    const codeOf = (call: Promise<unknown>) =>
      call.then(
        () => "ok",
        (error: { code?: string }) => error.code,
      );
    await screen(id, { waitFor: "text:up" });
    const answers = async () => (await codeOf(screen(id, { waitFor: "text:up" }))) === "ok";
    for (const program of ["agent", "pty-host"] as const) {
      const cut = codeOf(wait());
      await screen(id, { waitFor: "text:up" });
      await killProgram(berth, sandbox, program);
      expect(await cut, program).toBe("sandbox_not_ready");
      await eventually(answers, { timeoutMs: 20_000 });
    }
    const next = await exec("echo up; read -r x");
    await screen(next, { waitFor: "text:up" });
    const stopped = codeOf(screen(next, { waitFor: "text:never", timeoutMs: 30_000 }));
    await screen(next, { waitFor: "text:up" });
    await berth.stop();
    // Which of the two goes first, the link or the server, is all the same to a script.
    expect(["not_ready", "sandbox_not_ready"]).toContain(await stopped);
  });
});
