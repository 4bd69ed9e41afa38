import { workspaceRefusal } from "../files/refusal.ts";
import type { AnswerBody } from "../files/workspace-calls.ts";
import { BadOutput } from "./status.ts";

/** What reads git's words as they come. */
export interface OutputReader {
  push(chunk: Buffer): void;
  end?(): void;
  /** It needs no more. */
  readonly full?: boolean;
}

/** What git may say to one call, in bytes: no answer has the half of it. */
const maxBytes = 256 * 1024 * 1024;

/** Reads an answer's bytes to the end, or until the reader has enough. Throws `BerthError`, also for what makes no sense. */
export async function readInto(reader: OutputReader, body: AnswerBody): Promise<void> {
  let bytes = 0;
  try {
    for await (const chunk of body.chunks()) {
      bytes += chunk.length;
      if (bytes > maxBytes) throw new BadOutput("it is too long");
      reader.push(chunk);
      if (reader.full) return;
    }
    reader.end?.();
  } catch (error) {
    if (!(error instanceof BadOutput)) throw error;
    throw workspaceRefusal({ code: "violation", detail: error.message });
  }
}
