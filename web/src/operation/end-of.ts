import { type Client, getOperation, type Operation } from "@berth/protocol";
import { ToldFailure } from "../api/describe-error.ts";
import { isOver } from "./operation-feed.ts";

/** Milliseconds between two looks. */
const lookAgainMs = 400;

/**
 * Looks at a piece of work until it has succeeded, and tells how it is. Rejects with `ToldFailure` when it has failed or
 * was cancelled.
 */
export async function endOf(
  api: Pick<Client, "call">,
  operation: Operation,
  onLook: (operation: Operation) => void,
): Promise<Operation> {
  let seen = operation;
  for (;;) {
    onLook(seen);
    if (isOver(seen)) break;
    await new Promise((resolve) => setTimeout(resolve, lookAgainMs));
    seen = await api.call(getOperation, { params: { id: operation.id } });
  }
  if (seen.state === "succeeded") return seen;
  const cancelled = { code: "cancelled", message: "It was cancelled." };
  throw new ToldFailure(
    seen.state === "cancelled" ? cancelled : (seen.error ?? { ...cancelled, message: "It failed." }),
  );
}
