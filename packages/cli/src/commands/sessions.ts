import { everyPage, listSshSessions } from "@berth/protocol";
import type { Command } from "commander";
import { ago } from "../output/ago.ts";
import { harmless } from "../output/style.ts";
import type { Session } from "../session.ts";
import { describe, does, groups, optionalSandbox, type Run } from "./register.ts";

/** `berth sessions`: who was connected through the SSH gateway, to what, when, and how much went through. */
export function sessionsCommand(run: Run): Command {
  const command = describe("sessions", {
    summary: "List your SSH sessions through the gateway: by which key, to what, when, how many bytes",
    examples: ["berth sessions", "berth sessions web --json"],
    group: groups.files,
  }).addArgument(optionalSandbox());
  return does(command, run, list);
}

async function list(session: Session, { args: [sandbox] }: Command): Promise<undefined> {
  const { output, signal } = session;
  const client = await session.client();
  const only = sandbox === undefined ? {} : { sandbox };
  const items = await everyPage((page) => client.call(listSshSessions, { query: { ...page, ...only } }, { signal }));
  const now = session.surroundings.clock.now();
  const rows = items.map((one) => [
    one.id,
    one.sandboxName ?? "",
    harmless(one.login),
    `${ago(one.startedAt, now)} ago`,
    one.endedAt === null ? "open" : `${seconds(one.startedAt, one.endedAt)} s`,
    String(one.bytesIn),
    String(one.bytesOut),
    Object.keys(one.channels).map(harmless).join(", "),
    `${one.remoteAddress} ${one.keyFingerprint}`,
  ]);
  const heading = ["SESSION", "SANDBOX", "LOGIN", "BEGUN", "LASTED", "IN", "OUT", "WHAT", "FROM"];
  output.result({ items, nextCursor: null }, () => output.table(heading, rows));
  return undefined;
}

function seconds(from: string, to: string): string {
  return ((Date.parse(to) - Date.parse(from)) / 1000).toFixed(1);
}
