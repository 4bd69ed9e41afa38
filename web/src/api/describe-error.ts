import { BerthError, type Failure } from "@berth/protocol";

/** What somebody else has failed at, in words already. */
export class ToldFailure extends Error {
  override readonly name = "ToldFailure";
  readonly failure: Failure;

  constructor(failure: Failure) {
    super(failure.message);
    this.failure = failure;
  }
}

/** An error in words: its cause, and its cure where one is known. */
export function describeError(error: unknown): Failure {
  if (error instanceof BerthError) {
    const fields = Object.entries(error.fields ?? {}).map(([field, wrong]) => `${field}: ${wrong}`);
    const message = fields.length > 0 ? `${error.message} ${fields.join("; ")}.` : error.message;
    return { code: error.code, message, ...(error.hint === undefined ? {} : { hint: error.hint }) };
  }
  if (error instanceof ToldFailure) return error.failure;
  return {
    code: "internal",
    message: error instanceof Error ? error.message : String(error),
    hint: "This is a fault of the console: reload the page.",
  };
}
