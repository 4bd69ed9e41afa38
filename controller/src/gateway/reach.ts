import { BerthError } from "@berth/protocol";
import { connectSsh, HostKeyMismatch, type SshConnection } from "../bootstrap/connect.ts";
import type { SandboxRow } from "../sandboxes/record.ts";
import type { SandboxSsh } from "../ssh/sandbox-ssh.ts";
import { sshAlgorithms } from "./algorithms.ts";
import { Transport } from "./transport.ts";

/** A connection to a sandbox's SSH server whose messages nobody has taken yet. */
export interface ReachedSandbox {
  readonly connection: SshConnection;
  readonly transport: Transport;
}

/** Signs in to a sandbox. Rejects with a sentence for people as the error's message. */
export async function reachSandbox(
  ssh: Pick<SandboxSsh, "target">,
  row: SandboxRow,
  signal: AbortSignal,
): Promise<ReachedSandbox> {
  let transport: Transport | undefined;
  try {
    const target = await ssh.target(row, signal);
    const connection = await connectSsh(
      {
        ...target,
        algorithms: sshAlgorithms,
        // What comes with the end of the sign-in must not be ssh2's to answer: the relay takes it.
        prepare: (client) => {
          transport = new Transport(client);
          transport.intercept(() => true);
        },
      },
      signal,
    );
    if (!transport) throw new Error("the connection was not prepared");
    return { connection, transport };
  } catch (error) {
    if (error instanceof HostKeyMismatch) throw new Error(mismatch(row, error.seen), { cause: error });
    if (error instanceof BerthError) throw error;
    const reason = error instanceof Error ? error.message : "unknown error";
    throw new Error(`The sandbox "${row.name}" does not let the gateway in: ${reason}.`, { cause: error });
  }
}

function mismatch({ name, address }: SandboxRow, seen: string): string {
  return [
    `The SSH host key at ${address} is not the one that the sandbox "${name}" was given.`,
    `It shows ${seen}. Something else may answer at this address, or somebody has replaced the key in the sandbox.`,
    "Nothing was sent to it. Restart the sandbox if you trust what is in it, or destroy it.",
  ].join("\n");
}
