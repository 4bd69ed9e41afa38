import { once } from "node:events";
import { get, type IncomingMessage } from "node:http";
import { asciicastEventSchema, asciicastHeaderSchema, parseJson, type Sandbox } from "@berth/protocol";
import { eventually } from "@berth/testkit";
import { Compile } from "typebox/compile";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type Berth, startBerth } from "./berth.ts";
import { killProgram, ViewerSet } from "./sandbox-programs.ts";

const headerLine = Compile(asciicastHeaderSchema);
const eventLine = Compile(asciicastEventSchema);

function read(text: string) {
  const [first, ...lines] = text.trimEnd().split("\n");
  const events = lines.map((line) => eventLine.Parse(parseJson(line)));
  const output = events.flatMap(([, code, data]) => (code === "o" ? [data] : [])).join("");
  return { header: headerLine.Parse(parseJson(first ?? "")), events, output };
}

describe("the recording of a terminal", () => {
  let berth: Berth;
  let sandbox: Sandbox;
  const viewers = new ViewerSet();

  beforeAll(async () => {
    berth = await startBerth();
    sandbox = await berth.readySandbox();
  });
  afterEach(() => viewers.closeAll());
  afterAll(() => berth.dispose());

  const exec = (script: string) => berth.openTerminal(sandbox.id, { kind: "exec", argv: ["bash", "-c", script] });
  const urlOf = (id: string, query = "") => `${berth.url}/api/v1/terminals/${id}/recording${query}`;
  const authorization = () => ({ authorization: `Bearer ${berth.token}` });
  const fetched = (id: string, query = "") => fetch(urlOf(id, query), { headers: authorization() });
  const recorded = async (id: string) => read(await (await fetched(id)).text());

  it("is a file of asciicast with all of its output, from one life to the next", async () => {
    const { id } = await exec("printf 'hello é漢🙂'; sleep 0.3; printf ' world'; exit 3");
    await eventually(async () => (await recorded(id)).events.some(([, code]) => code === "x"));
    const answer = await fetched(id);
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-type")).toBe("application/x-asciicast");
    expect(answer.headers.get("content-disposition")).toMatch(
      new RegExp(`^attachment; filename="${sandbox.name}-exec-[0-9T-]+\\.cast"$`),
    );
    expect(answer.headers.get("cache-control")).toBe("no-store");
    const { header, events, output } = read(await answer.text());
    expect(header.term).toMatchObject({ cols: 120, rows: 32 });
    expect(output).toBe("hello é漢🙂 world");
    expect(events.at(-1)?.slice(1)).toEqual(["x", "3"]);
    const pause = events.find(([, , data]) => data === " world")?.[0] ?? 0;
    expect(pause).toBeGreaterThan(0.2);
    expect(pause).toBeLessThan(10);
  });

  it("is refused to those who may not have it, and where there is none", async () => {
    const { id } = await exec("echo x; exec cat");
    expect((await fetch(urlOf(id))).status).toBe(401);
    expect((await fetched(id, "?epoch=7")).status).toBe(404);
    expect((await fetched(id, "?epoch=0")).status).toBe(400);
    expect((await fetched("trm_00000000000000000000")).status).toBe(404);
    const problem = parseJson(await (await fetched(id, "?epoch=7")).text());
    expect(problem).toMatchObject({ code: "not_found", detail: expect.stringContaining("epoch 7") });
  });

  it("leaves another terminal its echo, whether it is read fast, slowly or not at all", async () => {
    // Slower than what a flush takes, so that little of it is missing; far more than what may be under way.
    const portion = "head -c 150000 /dev/urandom | base64 -w 100; sleep 0.1";
    const flood = await exec(`stty raw; for i in $(seq 60); do ${portion}; done; echo done; exec cat`);
    const echo = await exec("stty raw -echo; printf ready; exec cat");
    const viewer = await viewers.attach(berth, echo.id);
    await viewer.waitForText("ready");
    await eventually(async () => (await recorded(flood.id)).output.endsWith("done\n"), { timeoutMs: 60_000 });
    const stalled = await Promise.all([1, 2].map(() => begun(urlOf(flood.id))));
    const whole = fetched(flood.id).then(async (answer) => (await answer.text()).length);
    let turns = 0;
    let slowestMs = 0;
    let over = false;
    void whole.finally(() => {
      over = true;
    });
    while (!over && turns < 500) {
      const before = performance.now();
      const end = viewer.offset + 1;
      viewer.write("k");
      await eventually(() => viewer.offset >= end, { intervalMs: 1 });
      slowestMs = Math.max(slowestMs, performance.now() - before);
      turns += 1;
    }
    expect(await whole).toBeGreaterThan(6_000_000);
    expect(turns).toBeGreaterThan(3);
    // A machine under tests is not the place for milliseconds; a download that blocked would take seconds.
    expect(slowestMs).toBeLessThan(2000);
    for (const answer of stalled) answer.destroy();
  });

  it("is cut off visibly when its sandbox's programs die, and is there again afterwards", async () => {
    const { id } = await exec("stty raw; head -c 8000000 /dev/urandom | base64 -w 100; echo done; exec cat");
    await eventually(async () => (await recorded(id)).output.endsWith("done\n"), { timeoutMs: 60_000 });
    const answer = await begun(urlOf(id));
    await killProgram(berth, sandbox, "pty-host");
    await expect(once(answer.resume(), "end")).rejects.toThrow("aborted");
    await eventually(async () => (await fetched(id)).status === 200, { timeoutMs: 60_000 });
    const { output, events } = await recorded(id);
    expect(output.endsWith("done\n")).toBe(true);
    expect(events.at(-1)?.slice(1)).toEqual(["m", "The sandbox stopped here"]);
  });

  /** A download that has begun, and of which nothing more is taken. */
  function begun(url: string): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      get(url, { headers: authorization() }, (answer) => {
        answer.once("readable", () => resolve(answer));
      }).once("error", reject);
    });
  }
});
