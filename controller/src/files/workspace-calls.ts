import { setImmediate, setTimeout } from "node:timers/promises";
import { BerthError } from "@berth/protocol";
import {
  type WorkspaceAnswer,
  type WorkspaceMethod,
  type WorkspaceMethodName,
  type WorkspaceParams,
  type WorkspaceRecord,
  workspaceChannelKind,
  workspaceLimits,
  workspaceMethods,
} from "@berth/protocol/link";
import { Value } from "typebox/value";
import type { AgentLink } from "../agents/link.ts";
import { AnswerStream } from "./answer-stream.ts";
import { recordsOf } from "./records.ts";
import { workspaceRefusal } from "./refusal.ts";

/** What it needs of the link to a sandbox's agent. */
export type WorkspaceLink = Pick<AgentLink, "sandboxId" | "openChannel">;

export interface CallOptions {
  /** Aborts when nobody waits for the answer any more. */
  signal?: AbortSignal;
  /** For a call that takes input. */
  input?: AsyncIterable<Uint8Array>;
  /** How long the agent may say nothing, in milliseconds. */
  silenceMs?: number;
}

/** What came of a call. The bytes behind its answer must be read to the end, or closed. */
export interface Answered<M extends WorkspaceMethodName> {
  readonly answer: WorkspaceAnswer<M>;
  readonly body: AnswerBody;
}

/** The bytes behind an answer, as they come. */
export interface AnswerBody {
  /** Throws `BerthError` where they end in the midst. `quiet`: any silence is in order. */
  chunks(options?: { quiet?: boolean }): AsyncGenerator<Buffer>;
  /** Nobody wants them (any more). */
  close(): void;
}

const defaultSilenceMs = 30_000;
/**
 * Calls of one sandbox begin at this pace, after a few at once: each has a handful of the agent's frames, of which a link
 * takes so many a second.
 */
const pace = { everyMs: 1000 / 300, aheadMs: 300 } as const;
/** No frame of input is longer: terminals' keys go between two. */
const portionBytes = 64 * 1024;

/** Calls agents about their workspaces, a bounded number of each at a time. */
export class WorkspaceConnections {
  readonly #hold: (sandboxId: string) => () => void;
  readonly #open = new Map<string, { calls: number; watches: number }>();
  /** When the next call of a sandbox would begin if all kept the pace, by the clock of `performance`. */
  readonly #nextAt = new Map<string, number>();

  /** `hold` says that a sandbox is used, until its answer is called; without it these calls are no use of any. */
  constructor(hold: (sandboxId: string) => () => void = () => () => {}) {
    this.#hold = hold;
  }

  /**
   * Calls a sandbox's agent. Rejects with `BerthError`. Until its body is closed or read to its end, or the signal
   * aborts, the call holds one of the sandbox's places.
   */
  async open<M extends WorkspaceMethodName>(
    link: WorkspaceLink,
    call: M,
    params: WorkspaceParams<M>,
    options: CallOptions = {},
  ): Promise<Answered<M>> {
    const leave = this.#enter(link.sandboxId, isWatch(call) ? "watches" : "calls");
    const { signal = new AbortController().signal, silenceMs = defaultSilenceMs, input } = options;
    await this.#pace(link.sandboxId);
    const stream = new AnswerStream(link.openChannel(workspaceChannelKind, { call, params }), signal, leave);
    try {
      if (input) await sendInput(stream, input, silenceMs);
      const answered = await stream.answer(silenceMs);
      if (!("value" in answered)) throw workspaceRefusal(answered);
      if (!fits(call, answered.value)) {
        stream.violated("its answer does not fit");
        throw workspaceRefusal({ code: "violation", detail: "its answer does not fit" });
      }
      return { answer: answered.value, body: bodyOf(stream, silenceMs) };
    } catch (error) {
      stream.cancel();
      throw error;
    }
  }

  /** Calls for an answer without anything behind it. */
  async ask<M extends WorkspaceMethodName>(
    link: WorkspaceLink,
    call: M,
    params: WorkspaceParams<M>,
    options: CallOptions = {},
  ): Promise<WorkspaceAnswer<M>> {
    const { answer, body } = await this.open(link, call, params, options);
    for await (const _ of body.chunks()) throw workspaceRefusal({ code: "violation", detail: "it sent too much" });
    return answer;
  }

  /** Calls for records, at most so many; with the answer's value. */
  async list<M extends WorkspaceMethodName>(
    link: WorkspaceLink,
    call: M,
    params: WorkspaceParams<M>,
    { maxRecords, ...options }: CallOptions & { maxRecords: number },
  ): Promise<{ answer: WorkspaceAnswer<M>; records: WorkspaceRecord<M>[] }> {
    const { answer, body } = await this.open(link, call, params, options);
    const records: WorkspaceRecord<M>[] = [];
    for await (const record of recordsOf(call, body.chunks())) {
      records.push(record);
      if (records.length > maxRecords) throw workspaceRefusal({ code: "violation", detail: "it sent too much" });
    }
    return { answer, records };
  }

  async #pace(sandboxId: string): Promise<void> {
    const now = performance.now();
    const nextAt = Math.max(now, this.#nextAt.get(sandboxId) ?? now);
    this.#nextAt.set(sandboxId, nextAt + pace.everyMs);
    const waitMs = nextAt - now - pace.aheadMs;
    if (waitMs > 0) await setTimeout(waitMs);
  }

  #enter(sandboxId: string, kind: "calls" | "watches"): () => void {
    const open = this.#open.get(sandboxId) ?? { calls: 0, watches: 0 };
    if (open[kind] >= workspaceLimits[kind]) {
      throw new BerthError("limit_exceeded", `${open[kind]} ${kind} of this sandbox's files are under way.`, {
        hint: "Try again when others are done.",
      });
    }
    open[kind] += 1;
    this.#open.set(sandboxId, open);
    const release = this.#hold(sandboxId);
    return () => {
      release();
      open[kind] -= 1;
      if (open.calls + open.watches > 0) return;
      this.#open.delete(sandboxId);
      if ((this.#nextAt.get(sandboxId) ?? 0) <= performance.now()) this.#nextAt.delete(sandboxId);
    };
  }
}

async function sendInput(stream: AnswerStream, input: AsyncIterable<Uint8Array>, silenceMs: number): Promise<void> {
  if (!(await stream.ready(silenceMs))) return;
  let bytes = 0;
  for await (const chunk of input) {
    for (let offset = 0; offset < chunk.byteLength; offset += portionBytes) {
      if (!(await stream.send(chunk.subarray(offset, offset + portionBytes), silenceMs))) return;
    }
    bytes += chunk.byteLength;
  }
  stream.endInput(bytes);
}

function bodyOf(stream: AnswerStream, silenceMs: number): AnswerBody {
  return {
    close: () => stream.cancel(),
    async *chunks({ quiet = false } = {}) {
      try {
        for (;;) {
          const chunk = await stream.next(quiet ? undefined : silenceMs);
          if (!chunk) break;
          yield chunk;
          // Everybody else has a turn between two portions.
          await setImmediate();
        }
        if (stream.reason?.code !== undefined) throw workspaceRefusal(stream.reason);
      } finally {
        stream.cancel();
      }
    },
  };
}

function fits<M extends WorkspaceMethodName>(call: M, value: unknown): value is WorkspaceAnswer<M> {
  const method: WorkspaceMethod = workspaceMethods[call];
  return Value.Check(method.answer, value);
}

function isWatch(call: string): boolean {
  return call === "watch";
}
