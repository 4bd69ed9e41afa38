import { getOperation, type Operation, operationEventSchemas, operationEvents } from "@berth/protocol";
import { Value } from "typebox/value";
import { follow } from "./events/follow.ts";
import { exitCodeOfFailure, exitCodes } from "./exit-codes.ts";
import { CommandFailed } from "./failure.ts";
import { operationView } from "./output/operation-view.ts";
import type { Session } from "./session.ts";

const { step: stepSchema, log: logSchema, done: doneSchema } = operationEventSchemas;

/**
 * Follows a piece of work to its end and shows it; answers it as it ended. Rejects with `CommandFailed` if it failed.
 * Ctrl-C leaves the work alone: it is the controller's.
 */
export async function followOperation(session: Session, operation: Operation): Promise<Operation> {
  const { output, signal, surroundings } = session;
  const view = operationView(output, operation);
  try {
    const controller = await session.controller();
    const options = { last: "done", signal, clock: surroundings.clock, onAway: () => view.away() };
    for await (const { event, data } of follow(
      controller,
      operationEvents,
      { params: { id: operation.id } },
      options,
    )) {
      if (event === "step" && Value.Check(stepSchema, data)) view.step(data);
      else if (event === "log" && Value.Check(logSchema, data)) view.log(data);
      else if (event === "done" && Value.Check(doneSchema, data)) return succeeded(data);
    }
  } catch (error) {
    if (signal.aborted) output.note(`The work goes on. See it with: berth logs ${operation.id}`);
    throw error;
  } finally {
    view.end();
  }
  throw new CommandFailed(exitCodes.failed, "internal", "The controller did not say how it ended.");
}

/** The same of work that is known by its id alone. */
export async function followOperationById(session: Session, id: string): Promise<Operation> {
  const client = await session.client();
  return followOperation(session, await client.call(getOperation, { params: { id } }, { signal: session.signal }));
}

function succeeded(operation: Operation): Operation {
  if (operation.state === "succeeded") return operation;
  const subject = operation.sandboxName === null ? "" : ` of ${operation.sandboxName}`;
  const what = `${operation.kind.replaceAll("_", " ")}${subject}`;
  if (operation.state === "cancelled") {
    throw new CommandFailed(exitCodes.failed, "cancelled", `The ${what} was cancelled.`);
  }
  const { code, message, hint } = operation.error ?? { code: "internal", message: "It does not say why." };
  throw new CommandFailed(exitCodeOfFailure(code), code, `The ${what} failed: ${message}`, hint);
}
