import { parseJson } from "@berth/protocol";
import {
  type WorkspaceMethod,
  type WorkspaceMethodName,
  type WorkspaceRecord,
  workspaceLimits,
  workspaceMethods,
} from "@berth/protocol/link";
import { Compile, type Validator } from "typebox/compile";
import { workspaceRefusal } from "./refusal.ts";

const newline = 0x0a;
const validators = new Map<WorkspaceMethodName, Validator>();

/** Reads an answer's bytes as records, each a line of JSON that fits the call's schema. Throws `BerthError` otherwise. */
export async function* recordsOf<M extends WorkspaceMethodName>(
  call: M,
  chunks: AsyncIterable<Buffer>,
): AsyncGenerator<WorkspaceRecord<M>> {
  let held: Buffer = Buffer.alloc(0);
  for await (const chunk of chunks) {
    const bytes = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    let start = 0;
    for (let end = bytes.indexOf(newline); end !== -1; end = bytes.indexOf(newline, start)) {
      const record = parseJson(bytes.toString("utf8", start, end));
      if (!isRecord(call, record)) throw nonsense("a record does not fit");
      yield record;
      start = end + 1;
    }
    held = bytes.subarray(start);
    if (held.length > workspaceLimits.recordBytes) throw nonsense("a record is too long");
  }
  if (held.length > 0) throw nonsense("a record has no end");
}

function isRecord<M extends WorkspaceMethodName>(call: M, value: unknown): value is WorkspaceRecord<M> {
  const method: WorkspaceMethod = workspaceMethods[call];
  if (!method.record) throw new Error(`${call} answers no records`);
  let validator = validators.get(call);
  if (!validator) {
    validator = Compile(method.record);
    validators.set(call, validator);
  }
  return validator.Check(value);
}

function nonsense(detail: string): Error {
  return workspaceRefusal({ code: "violation", detail });
}
