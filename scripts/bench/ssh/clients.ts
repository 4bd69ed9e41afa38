import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import type { Scope } from "@berth/base";

/** OpenSSH's client by one way to the sandbox. */
export interface SshWay {
  /** Its options and the destination: the remote command follows. */
  readonly args: readonly string[];
}

const chunkBytes = 1024 * 1024;

/** Milliseconds in which so many bytes went to a program in the sandbox that counted them. */
export async function uploadMs(way: SshWay, bytes: number): Promise<number> {
  const child = run(way, "echo ready; wc -c");
  await once(child.stdout, "data");
  const begun = performance.now();
  const chunk = Buffer.alloc(chunkBytes, "berth");
  let answer = "";
  child.stdout.on("data", (text: Buffer) => {
    answer += text.toString("latin1");
  });
  for (let sent = 0; sent < bytes; sent += chunkBytes) {
    if (!child.stdin.write(chunk)) await once(child.stdin, "drain");
  }
  child.stdin.end();
  await once(child, "close");
  if (Number(answer) !== bytes) throw new Error(`${bytes} bytes were sent, and ${answer.trim()} arrived`);
  return performance.now() - begun;
}

/** Milliseconds in which so many bytes came from a program in the sandbox. */
export async function downloadMs(way: SshWay, bytes: number): Promise<number> {
  const child = run(way, `read go; head -c ${bytes} /dev/zero`);
  // The client is connected once it has taken this word; how long that takes is no matter of this.
  const ready = run(way, "true");
  await once(ready, "close");
  let received = 0;
  child.stdout.on("data", (chunk: Buffer) => {
    received += chunk.length;
  });
  const begun = performance.now();
  child.stdin.end("go\n");
  await once(child, "close");
  if (received !== bytes) throw new Error(`${bytes} bytes were asked for, and ${received} came`);
  return performance.now() - begun;
}

/** A program in the sandbox that repeats what it is told, over a connection that stays open. */
export class Echo {
  readonly #child: ChildProcessWithoutNullStreams;

  private constructor(child: ChildProcessWithoutNullStreams) {
    this.#child = child;
  }

  static async open(way: SshWay, scope: Scope): Promise<Echo> {
    const child = run(way, "cat");
    scope.add(async () => {
      if (child.exitCode !== null) return;
      const ended = once(child, "close");
      child.kill();
      await ended;
    });
    const echo = new Echo(child);
    await echo.ms();
    return echo;
  }

  /** Milliseconds from a key to its echo. */
  async ms(): Promise<number> {
    const answered = once(this.#child.stdout, "data");
    const begun = performance.now();
    this.#child.stdin.write("x");
    await answered;
    return performance.now() - begun;
  }
}

function run({ args }: SshWay, command: string): ChildProcessWithoutNullStreams {
  const child = spawn("ssh", [...args, command]);
  child.stdin.on("error", () => {});
  child.stderr.on("data", (text: Buffer) => process.stderr.write(text));
  return child;
}
