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

/** A failure for people, and what of a request it was about. */
export interface ShownFailure extends Failure {
  /** Field → what is wrong with it; the message says so, too. */
  readonly fields?: Readonly<Record<string, string>>;
}

/** An error in words: its cause, and its cure where one is known. */
export function describeError(error: unknown): ShownFailure {
  if (error instanceof BerthError) {
    const { code, hint, fields } = error;
    const unsaid = Object.entries(fields ?? {}).filter(([, wrong]) => !error.message.includes(wrong));
    const more = unsaid.map(([field, wrong]) => `${field}: ${wrong}`);
    const message = more.length > 0 ? `${error.message} ${more.join("; ")}.` : error.message;
    return { code, message, ...(hint === undefined ? {} : { hint }), ...(fields === undefined ? {} : { fields }) };
  }
  if (error instanceof ToldFailure) return error.failure;
  return {
    code: "internal",
    message: error instanceof Error ? error.message : String(error),
    hint: "This is a fault of the console: reload the page.",
  };
}
