import { BerthError, type Failure } from "@berth/protocol";

/** An error in words: its cause, and its cure where one is known. */
export function describeError(error: unknown): Failure {
  if (error instanceof BerthError) {
    const fields = Object.entries(error.fields ?? {}).map(([field, wrong]) => `${field}: ${wrong}`);
    const message = fields.length > 0 ? `${error.message} ${fields.join("; ")}.` : error.message;
    return { code: error.code, message, ...(error.hint === undefined ? {} : { hint: error.hint }) };
  }
  return {
    code: "internal",
    message: error instanceof Error ? error.message : String(error),
    hint: "This is a fault of the console: reload the page.",
  };
}
