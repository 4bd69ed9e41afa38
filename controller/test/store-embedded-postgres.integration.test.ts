import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Scope } from "@berth/base";
import { eventually, temporaryDirectory } from "@berth/testkit";
import pg from "pg";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "../src/store/embedded-postgres.ts";

let scope: Scope;
let dataDir: string;

beforeEach(async () => {
  scope = new Scope();
  const folder = await temporaryDirectory();
  scope.add(() => folder.dispose());
  dataDir = folder.path;
});
afterEach(() => scope.dispose());

async function start(): Promise<EmbeddedPostgres> {
  const postgres = await startEmbeddedPostgres({ dataDir });
  scope.add(() => postgres.stop());
  return postgres;
}

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

test("is made once, keeps its contents and starts again quickly", async () => {
  let made = 0;
  const onInitialise = () => {
    made += 1;
  };
  const first = await startEmbeddedPostgres({ dataDir, onInitialise });
  scope.add(() => first.stop());
  await query(first.url, "create table kept as select 42 as n");
  await first.stop();
  await expect(query(first.url, "select 1")).rejects.toThrow("ECONNREFUSED");

  const begun = performance.now();
  const second = await startEmbeddedPostgres({ dataDir, onInitialise });
  scope.add(() => second.stop());
  // 130 ms on an idle machine; the bound leaves room for a busy one.
  expect(performance.now() - begun).toBeLessThan(2_000);
  expect(await query(second.url, "select n from kept")).toEqual([{ n: 42 }]);
  expect(made).toBe(1);
  expect(second.adopted).toBe(false);
});

test("outlives a controller that is killed, and is taken over by the next", async () => {
  const module = new URL("../src/store/embedded-postgres.ts", import.meta.url).href;
  const script = `const { startEmbeddedPostgres } = await import(${JSON.stringify(module)});
    const postgres = await startEmbeddedPostgres({ dataDir: process.argv[1] });
    console.log(postgres.pid);
    setInterval(() => {}, 1000);`;
  // A group of its own, as a shell gives it, which Ctrl-C and this test signal as a whole.
  const child = spawn(process.execPath, ["--input-type=module", "-e", script, dataDir], {
    detached: true,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [output] = await once(child.stdout, "data");
  const pid = Number(String(output).trim());
  process.kill(-(child.pid ?? Number.NaN), "SIGKILL");
  await once(child, "exit");

  const adopted = await start();
  expect(adopted).toMatchObject({ pid, adopted: true });
  expect(await query(adopted.url, "select 1 as one")).toEqual([{ one: 1 }]);
  await adopted.stop();
  expect(() => readFileSync(join(dataDir, "postgres", "postmaster.pid"))).toThrow("ENOENT");
});

test("recovers after it was killed itself", async () => {
  const first = await start();
  await query(first.url, "create table kept as select 42 as n");
  process.kill(first.pid, "SIGKILL");
  const second = await eventually(() => start(), { timeoutMs: 20_000 });
  expect(second.pid).not.toBe(first.pid);
  expect(await query(second.url, "select n from kept")).toEqual([{ n: 42 }]);
});

test("a pid file that names some other program by now is no obstacle", async () => {
  const first = await start();
  const path = join(dataDir, "postgres", "postmaster.pid");
  const text = readFileSync(path, "utf8");
  await first.stop();
  writeFileSync(path, text.replace(/^\d+/, String(process.pid)));
  expect((await start()).adopted).toBe(false);
});

test("what an interrupted first start left is not used", async () => {
  mkdirSync(join(dataDir, "postgres.0011.tmp"));
  expect(await query((await start()).url, "select 1 as one")).toEqual([{ one: 1 }]);
});

test("its password is kept for its owner alone and needed to connect", async () => {
  const { url } = await start();
  expect(statSync(join(dataDir, "postgres.password")).mode & 0o777).toBe(0o600);
  const wrong = new URL(url);
  wrong.password = "wrong";
  await expect(query(wrong.href, "select 1")).rejects.toMatchObject({ code: "28P01" });
});

test.runIf(process.getuid?.() === 0)("a folder that its account cannot pass through is named", async () => {
  const inner = join(dataDir, "inner");
  mkdirSync(inner);
  await expect(startEmbeddedPostgres({ dataDir: inner })).rejects.toThrow(`chmod o+x ${dataDir}`);
});
