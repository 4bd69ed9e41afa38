import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { DirectoryInUse, DirectoryLock, identifyProcess, isErrno } from "../src/node/index.ts";
import { temporaryFolder } from "./support/folder.ts";

async function refusalOf(attempt: Promise<DirectoryLock>): Promise<DirectoryInUse> {
  const error = await attempt.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof DirectoryInUse)) throw new Error(`not refused: ${String(error)}`);
  return error;
}

function holderIn(folder: string): unknown {
  const holder: unknown = JSON.parse(readFileSync(join(folder, "lock"), "utf8"));
  return holder;
}

const self = identifyProcess(process.pid);

describe("the lock of a folder", () => {
  it("names its holder while it is held, and is gone after", async () => {
    const folder = temporaryFolder();
    const lock = await DirectoryLock.acquire(folder);
    expect(holderIn(folder)).toMatchObject({ ...self });
    expect(readdirSync(folder)).toEqual(["lock"]);
    await lock[Symbol.asyncDispose]();
    expect(readdirSync(folder)).toEqual([]);
  });

  it("refuses a second holder and names the first", async () => {
    const folder = temporaryFolder();
    const lock = await DirectoryLock.acquire(folder);
    const refusal = await refusalOf(DirectoryLock.acquire(folder));
    expect(refusal.holder).toMatchObject({ ...self });
    expect(refusal.message).toContain(String(process.pid));
    expect(refusal.message).toContain(folder);
    expect(readdirSync(folder)).toEqual(["lock"]);
    await lock[Symbol.asyncDispose]();
    await (await DirectoryLock.acquire(folder))[Symbol.asyncDispose]();
  });

  it("refuses while another process holds it, and names that", async () => {
    const folder = temporaryFolder();
    const child = spawn("sleep", ["60"], { stdio: "ignore" });
    onTestFinished(() => void child.kill("SIGKILL"));
    writeFileSync(join(folder, "lock"), JSON.stringify(identifyProcess(child.pid ?? 0)));
    expect((await refusalOf(DirectoryLock.acquire(folder))).holder.pid).toBe(child.pid);
    child.kill("SIGKILL");
    await once(child, "exit");
    await DirectoryLock.acquire(folder);
    expect(holderIn(folder)).toMatchObject({ pid: process.pid });
  });

  it("is taken over from a process that is gone", async () => {
    const folder = temporaryFolder();
    const { pid } = spawnSync("true");
    writeFileSync(join(folder, "lock"), JSON.stringify({ pid, started: self?.started }));
    await DirectoryLock.acquire(folder);
    expect(holderIn(folder)).toMatchObject({ ...self });
    expect(readdirSync(folder)).toEqual(["lock"]);
  });

  it("is taken over from a process whose number another has got", async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "lock"), JSON.stringify({ pid: process.pid, started: "another boot:1" }));
    await DirectoryLock.acquire(folder);
    expect(holderIn(folder)).toMatchObject({ ...self });
  });

  it.each(["", "{", "null", "[]", '{"pid":"1"}', "\0\0\0\0"])("is taken over when its file holds %j", async (text) => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "lock"), text);
    await DirectoryLock.acquire(folder);
    expect(holderIn(folder)).toMatchObject({ ...self });
    expect(readdirSync(folder)).toEqual(["lock"]);
  });

  it("is taken over also when a process was killed in the midst of taking it over", async () => {
    const folder = temporaryFolder();
    const gone = (nonce: string) => JSON.stringify({ pid: process.pid, started: "another boot:1", nonce });
    const guardOf = (text: string) =>
      join(folder, `lock.after.${createHash("sha256").update(text).digest("hex").slice(0, 24)}`);
    writeFileSync(join(folder, "lock"), gone("a"));
    writeFileSync(guardOf(gone("a")), gone("b"));
    writeFileSync(guardOf(gone("b")), gone("c"));
    await DirectoryLock.acquire(folder);
    expect(holderIn(folder)).toMatchObject({ ...self });
    expect(readdirSync(folder)).toEqual(["lock"]);
  });

  it("goes to one of many within a process, also from a process that is gone", async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "lock"), JSON.stringify({ pid: process.pid, started: "another boot:1" }));
    const attempts = await Promise.allSettled(Array.from({ length: 30 }, () => DirectoryLock.acquire(folder)));
    expect(attempts.filter((attempt) => attempt.status === "fulfilled")).toHaveLength(1);
    for (const attempt of attempts) {
      if (attempt.status === "rejected") expect(attempt.reason).toBeInstanceOf(DirectoryInUse);
    }
    expect(readdirSync(folder)).toEqual(["lock"]);
  });

  it("that was released is not taken from its next holder by a second release", async () => {
    const folder = temporaryFolder();
    const first = await DirectoryLock.acquire(folder);
    await first[Symbol.asyncDispose]();
    const second = await DirectoryLock.acquire(folder);
    await first[Symbol.asyncDispose]();
    expect(readdirSync(folder)).toEqual(["lock"]);
    await second[Symbol.asyncDispose]();
  });

  it("needs the folder", async () => {
    const attempt = DirectoryLock.acquire(join(temporaryFolder(), "none"));
    await expect(attempt).rejects.toSatisfy((error) => isErrno(error, "ENOENT"));
  });
});
