import type { Clock } from "@berth/base";
import { connectSsh, type SshConnection } from "../bootstrap/connect.ts";
import type { SandboxRow } from "../sandboxes/record.ts";
import { workspaceOf } from "../ssh/guest-place.ts";
import type { SandboxSsh } from "../ssh/sandbox-ssh.ts";
import { ChangeBell, type ChangeSource } from "./change-source.ts";

/** How often a workspace is looked at, in milliseconds. */
const everyMs = 1_000;

/**
 * Tells of changes in a sandbox's workspace, by looking at it now and then over one connection: a number that changes
 * with any name, size or time in it. Ends its connection when it is closed; rings, too, when that breaks.
 */
export async function watchGuest(
  ssh: SandboxSsh,
  row: SandboxRow,
  clock: Clock,
  signal: AbortSignal,
): Promise<ChangeSource> {
  const connection = await connectSsh(await ssh.target(row, signal), signal);
  const over = new AbortController();
  const bell = new ChangeBell(() => {
    over.abort(new Error("nobody follows any more"));
    connection.close();
  });
  connection.client.once("close", () => bell.ring());
  const command = lookCommand(workspaceOf(await ssh.place(row, signal)));
  const until = AbortSignal.any([signal, over.signal]);
  void poll(connection, command, clock, until, bell).catch(() => bell.ring());
  return bell;
}

/** The path is Berth's own word. */
function lookCommand(workspace: string): string {
  const pruned = [".git", ".berth", "node_modules", "__pycache__", ".venv"].map((name) => `-name ${name}`).join(" -o ");
  const place = `'${workspace.replaceAll("'", "'\\''")}'`;
  return `cd -- ${place} && find . -type d \\( ${pruned} \\) -prune -o -printf '%p %y %s %T@ %m\\n' | cksum`;
}

async function poll(
  connection: SshConnection,
  command: string,
  clock: Clock,
  signal: AbortSignal,
  bell: ChangeBell,
): Promise<void> {
  let before: string | undefined;
  while (!signal.aborted) {
    const now = await output(connection, command);
    // Changed between the last sync and the first look: the first look counts as a change.
    if (now !== before) bell.ring();
    before = now;
    await clock.sleep(everyMs, signal);
  }
}

function output({ client }: SshConnection, command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    client.once("close", () => reject(new Error("the connection was cut")));
    client.exec(command, (error, channel) => {
      if (error) return reject(error);
      let text = "";
      channel.on("data", (chunk: Buffer) => {
        text = (text + chunk.toString("latin1")).slice(0, 256);
      });
      channel.stderr.resume();
      channel.once("close", () => resolve(text));
    });
  });
}
