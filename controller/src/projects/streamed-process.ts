import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { Writable } from "node:stream";
import { Complaints, closeOf, Ending, type ProcessOrder, ProcessOutOfBounds, wrapped } from "./bounded-process.ts";

export type StreamedOrder = Pick<
  ProcessOrder,
  "command" | "args" | "env" | "timeoutMs" | "maxFileBytes" | "maxMemoryBytes" | "signal"
>;

/**
 * A program that somebody speaks with, under the same bounds as `runProcess`. Whoever made it reads its output to the end,
 * and then waits for `ended`; or calls `end`.
 */
export class StreamedProcess {
  /** The exit code and the last of its complaints. Rejects with the reason for which it was ended from here. */
  readonly ended: Promise<{ exitCode: number | null; complaints: string }>;
  readonly #child: ChildProcess;
  readonly #ending: Ending;
  readonly #input: Writable;

  constructor(order: StreamedOrder) {
    order.signal?.throwIfAborted();
    const child = spawn("setpriv", wrapped(order), { detached: true, env: order.env, stdio: ["pipe", "pipe", "pipe"] });
    this.#child = child;
    this.#input = child.stdin;
    this.#ending = new Ending(child);
    // A program that has ended takes nothing more: its output tells of it.
    child.stdin.on("error", () => {});
    this.ended = this.#watch(order);
    this.ended.catch(() => {});
  }

  /** What it says, as it is read. */
  async *output(): AsyncGenerator<Buffer, void, void> {
    for await (const chunk of this.#child.stdout ?? []) {
      if (Buffer.isBuffer(chunk)) yield chunk;
    }
  }

  /** Says something to it, no faster than it listens. Does nothing once it has ended. */
  async write(bytes: Uint8Array): Promise<void> {
    if (this.#input.destroyed || this.#input.write(bytes) || this.#input.destroyed) return;
    const over = new AbortController();
    const { signal } = over;
    try {
      await Promise.race([once(this.#input, "drain", { signal }), once(this.#input, "close", { signal })]);
    } catch {
      // It has ended.
    } finally {
      over.abort();
    }
  }

  /** That was all. */
  endInput(): void {
    this.#input.end();
  }

  /** Ends it, if it has not ended. */
  end(reason: unknown): void {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#ending.begin(reason);
  }

  async #watch(order: StreamedOrder): Promise<{ exitCode: number | null; complaints: string }> {
    const complaints = new Complaints(undefined);
    this.#child.stderr?.on("data", (chunk: Buffer) => complaints.add(chunk));
    const tooLong = new ProcessOutOfBounds(`it took longer than ${Math.round(order.timeoutMs / 1000)} seconds`);
    const timer = setTimeout(() => this.#ending.begin(tooLong), order.timeoutMs);
    const onAbort = () => this.#ending.begin(order.signal?.reason);
    order.signal?.addEventListener("abort", onAbort, { once: true });
    try {
      const exitCode = await closeOf(this.#child);
      if (this.#ending.reason) throw this.#ending.reason.error;
      return { exitCode, complaints: complaints.text() };
    } finally {
      clearTimeout(timer);
      order.signal?.removeEventListener("abort", onAbort);
      this.#ending.over();
    }
  }
}
