import {
  deletedEventSchema,
  fleetEvents,
  getSandbox,
  operationEventSchemas,
  operationEvents,
  operationSchema,
  sandboxSchema,
  terminalSchema,
} from "@berth/protocol";
import type { Command } from "commander";
import { Value } from "typebox/value";
import { type FollowedEvent, follow } from "../events/follow.ts";
import { argument, flag } from "../options.ts";
import { harmless } from "../output/style.ts";
import type { Session } from "../session.ts";
import { describe, does, groups, type Run } from "./register.ts";

/** `berth logs`: what was done with a sandbox, or one piece of work line by line. */
export function logsCommand(run: Run): Command {
  const command = describe("logs", {
    summary: "What happened to a sandbox, or the log of one piece of work",
    more: "With --json each event is a line: its id, its name and its data as the API tells them.",
    examples: [
      "berth logs web",
      "berth logs web --follow",
      "berth logs op_…                # its steps and their output",
    ],
    group: groups.fleet,
  })
    .argument("<sandbox|operation>", "a sandbox, or the id of a piece of work")
    .option("-f, --follow", "go on with what comes, until Ctrl-C");
  return does(command, run, async (session, at) => {
    const subject = argument(at, 0);
    if (subject.startsWith("op_")) await operationLog(session, subject, flag(at, "follow"));
    else await sandboxLog(session, subject, flag(at, "follow"));
    return undefined;
  });
}

async function operationLog(session: Session, id: string, goOn: boolean): Promise<void> {
  const { signal, surroundings } = session;
  const input = { params: { id }, query: { follow: goOn } };
  const options = { signal, clock: surroundings.clock, last: "done", untilEnd: !goOn };
  for await (const event of follow(await session.controller(), operationEvents, input, options)) {
    session.output.item(event, () => operationLine(event));
  }
}

const { step: stepSchema, log: logSchema, done: doneSchema } = operationEventSchemas;

function operationLine({ event, data }: FollowedEvent): string | undefined {
  if (event === "step" && Value.Check(stepSchema, data)) {
    return (
      `${data.finishedAt ?? data.startedAt ?? ""} ${data.name}: ${data.state} ${harmless(data.detail ?? "")}`.trim() +
      "\n"
    );
  }
  if (event === "log" && Value.Check(logSchema, data)) return `${data.at} ${data.step}: ${harmless(data.text)}\n`;
  if (event === "done" && Value.Check(doneSchema, data)) {
    return `${data.finishedAt ?? ""} ${data.state}${data.error ? `: ${harmless(data.error.message)}` : ""}\n`;
  }
  return undefined;
}

async function sandboxLog(session: Session, name: string, goOn: boolean): Promise<void> {
  const { signal, surroundings } = session;
  const controller = await session.controller();
  const { id } = await controller.client.call(getSandbox, { params: { id: name } }, { signal });
  // From the first event that is kept.
  const options = { signal, clock: surroundings.clock, lastEventId: "0", untilEnd: !goOn };
  for await (const event of follow(controller, fleetEvents, { query: { follow: goOn } }, options)) {
    if (belongsTo(id, event)) session.output.item(event, () => fleetLine(event));
  }
}

/** Whether an event of the fleet is about a sandbox. */
export function belongsTo(sandboxId: string, { event, data }: FollowedEvent): boolean {
  switch (event) {
    case "sandbox":
      return Value.Check(sandboxSchema, data) && data.id === sandboxId;
    case "operation":
      return Value.Check(operationSchema, data) && data.sandboxId === sandboxId;
    case "terminal":
      return Value.Check(terminalSchema, data) && data.sandboxId === sandboxId;
    case "deleted":
      return Value.Check(deletedEventSchema, data) && data.id === sandboxId;
    default:
      return false;
  }
}

function fleetLine({ event, data }: FollowedEvent): string | undefined {
  if (event === "sandbox" && Value.Check(sandboxSchema, data)) {
    const why = data.error ? `: ${harmless(data.error.message)}` : "";
    return `${data.updatedAt} ${data.name} is ${data.state}${why}\n`;
  }
  if (event === "operation" && Value.Check(operationSchema, data)) {
    const why = data.error ? `: ${harmless(data.error.message)}` : "";
    return `${data.finishedAt ?? data.createdAt} ${data.kind} ${data.id} ${data.state}${why}\n`;
  }
  if (event === "terminal" && Value.Check(terminalSchema, data)) {
    return `${data.createdAt} terminal ${data.id} (${data.kind}) ${data.state}\n`;
  }
  return undefined;
}
