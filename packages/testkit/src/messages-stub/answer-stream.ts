import { randomBytes } from "node:crypto";
import { setTimeout as wait } from "node:timers/promises";
import type { MessagesRequest } from "./request.ts";
import type { AnswerBlock } from "./script.ts";

/** An event of the Messages API's stream. */
export interface StreamEvent {
  readonly type: string;
  readonly [field: string]: unknown;
}

const usage = { input_tokens: 10, cache_creation_input_tokens: 0, cache_read_input_tokens: 0, output_tokens: 1 };

/** The events of an answer in their order, each no earlier than its pause says; rejects when the signal is aborted. */
export async function* answerEvents(
  request: MessagesRequest,
  blocks: readonly AnswerBlock[],
  signal: AbortSignal,
): AsyncGenerator<StreamEvent> {
  const message = { ...emptyMessage(request.model), usage };
  yield { type: "message_start", message };
  for (const [index, block] of blocks.entries()) {
    if (block.type === "text") {
      yield { type: "content_block_start", index, content_block: { type: "text", text: "" } };
      for (const text of block.pieces) {
        if (block.delayMs) await wait(block.delayMs, undefined, { signal });
        yield { type: "content_block_delta", index, delta: { type: "text_delta", text } };
      }
    } else {
      yield { type: "content_block_start", index, content_block: { ...toolUse(block), input: {} } };
      const partial_json = JSON.stringify(block.input);
      yield { type: "content_block_delta", index, delta: { type: "input_json_delta", partial_json } };
    }
    yield { type: "content_block_stop", index };
  }
  const delta = { stop_reason: stopReason(blocks), stop_sequence: null };
  yield { type: "message_delta", delta, usage: { output_tokens: 10 } };
  yield { type: "message_stop" };
}

/** The same answer as one message, for requests that ask for no stream. */
export function answerMessage(request: MessagesRequest, blocks: readonly AnswerBlock[]): Record<string, unknown> {
  const content = blocks.map((block) =>
    block.type === "text" ? { type: "text", text: block.pieces.join("") } : { ...toolUse(block), input: block.input },
  );
  return { ...emptyMessage(request.model), content, stop_reason: stopReason(blocks), usage };
}

function emptyMessage(model: string): Record<string, unknown> {
  const id = `msg_${randomBytes(12).toString("hex")}`;
  return { id, type: "message", role: "assistant", model, content: [], stop_reason: null, stop_sequence: null };
}

function toolUse(block: { name: string }): Record<string, unknown> {
  return { type: "tool_use", id: `toolu_${randomBytes(12).toString("hex")}`, name: block.name };
}

function stopReason(blocks: readonly AnswerBlock[]): string {
  return blocks.some((block) => block.type === "tool_use") ? "tool_use" : "end_turn";
}
