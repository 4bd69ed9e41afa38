/**
 * Contends for the lock of a folder when the file `go` appears in another: says `ready`, then `held`, or `refused` with
 * the holder's pid, or `error`. It keeps what it has until its standard input ends.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { DirectoryInUse, DirectoryLock } from "../../src/node/index.ts";

const [folder = "", signals = ""] = process.argv.slice(2);

async function contend(): Promise<string> {
  try {
    await DirectoryLock.acquire(folder);
    return "held";
  } catch (error) {
    return error instanceof DirectoryInUse ? `refused ${error.holder.pid}` : `error ${String(error)}`;
  }
}

process.stdout.write("ready\n");
// Spinning lets all begin within the same millisecond; the test bounds how long.
while (!existsSync(join(signals, "go"))) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
process.stdout.write(`${await contend()}\n`);
process.stdin.resume();
