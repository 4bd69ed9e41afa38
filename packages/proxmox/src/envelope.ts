import Type from "typebox";
import { Compile } from "typebox/compile";
import type { RawAnswer } from "./http/exchange.ts";

const Envelope = Compile(
  Type.Object({
    data: Type.Optional(Type.Unknown()),
    total: Type.Optional(Type.Integer({ minimum: 0 })),
    message: Type.Optional(Type.String()),
    errors: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  }),
);

/** What PVE wraps around the data of an answer. */
export interface AnswerEnvelope {
  readonly data: unknown;
  /** Beside the data of some lists; absent when 0. */
  readonly total: number | undefined;
  /** The error's text, since http-server 5.2 and for a few calls. */
  readonly message: string | undefined;
  readonly errors: Readonly<Record<string, string>>;
}

/** Reads the envelope; undefined if the body is none (empty, text, HTML). */
export function readEnvelope(body: Buffer): AnswerEnvelope | undefined {
  const parsed = parseJson(body);
  if (!Envelope.Check(parsed)) return undefined;
  const errors = Object.entries(parsed.errors ?? {}).map(([name, text]) => [name, String(text).trim()] as const);
  return {
    data: parsed.data,
    total: parsed.total,
    message: parsed.message?.trim(),
    errors: Object.fromEntries(errors),
  };
}

/**
 * The text of a refusal. The reason phrase has it in every version; the body repeats it in new ones, sometimes with
 * more lines, which are then worth having.
 */
export function refusalText(answer: RawAnswer, envelope: AnswerEnvelope | undefined): string {
  const message = envelope?.message ?? "";
  if (message.length > answer.reason.length) return message;
  return answer.reason || `status ${answer.status}`;
}

function parseJson(body: Buffer): unknown {
  if (body.length === 0) return undefined;
  try {
    const parsed: unknown = JSON.parse(body.toString("utf8"));
    return parsed;
  } catch {
    return undefined;
  }
}
