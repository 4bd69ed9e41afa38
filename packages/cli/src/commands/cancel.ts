import { cancelOperation } from "@berth/protocol";
import type { Command } from "commander";
import { argument } from "../options.ts";
import { describe, does, groups, type Run } from "./register.ts";

/** `berth cancel`: gives a piece of work up. */
export function cancelCommand(run: Run): Command {
  const command = describe("cancel", {
    summary: "Stop a piece of work that has not ended",
    more: "A sandbox or a template whose making is cancelled is taken away again. See how it ended with berth logs.",
    examples: ["berth cancel op_…"],
    group: groups.fleet,
  }).argument("<operation>", "the id of the piece of work");
  return does(command, run, async (session, at) => {
    const input = { params: { id: argument(at, 0) } };
    const operation = await (await session.client()).call(cancelOperation, input, { signal: session.signal });
    session.output.result(
      operation,
      () => `${operation.sandboxName ?? operation.id}: ${operation.kind} is being cancelled\n`,
    );
    return undefined;
  });
}
