import { guestPaths, guestUser } from "@berth/protocol";
import { connectSsh, type SshConnection, type SshTarget } from "../bootstrap/connect.ts";

/** Who one signs in as in a sandbox, and where its root folder is for that user's programs. */
export interface GuestPlace {
  readonly username: string;
  /** Empty for a container; where containers are processes, the folder that is its root. */
  readonly root: string;
}

/** The workspace as programs see it that sign in by SSH. */
export function workspaceOf({ root }: GuestPlace): string {
  return `${root}/${guestPaths.workspace}`;
}

const answerLimitBytes = 8 * 1024;
const answerTimeoutMs = 10_000;
/** A path that no program on the way can take for something else. */
const rootPattern = /^(?:\/[^\0\n\r]{1,2048})?$/;

/**
 * Asks a sandbox where its things are. A container has the guest user; where containers are processes there is none, and
 * the user that the template names is right, whose environment says which folder stands for the root.
 */
export async function askGuestPlace(
  target: Omit<SshTarget, "username">,
  templateUser: string,
  signal?: AbortSignal,
): Promise<GuestPlace> {
  let username: string = guestUser;
  let connection: SshConnection;
  try {
    connection = await connectSsh({ ...target, username }, signal);
  } catch (error) {
    if (!isRefused(error) || templateUser === guestUser) throw error;
    username = templateUser;
    connection = await connectSsh({ ...target, username }, signal);
  }
  try {
    const root = await answerTo(connection, 'printf %s "$BERTH_ROOT"');
    if (!rootPattern.test(root)) throw new Error("the sandbox names a root folder that is none");
    return { username, root };
  } finally {
    connection.close();
  }
}

/** ssh2 tells a refused key by this text alone. */
function isRefused(error: unknown): boolean {
  return error instanceof Error && error.message.includes("authentication methods failed");
}

/** What a fixed command writes; rejects, and ends the connection, when that is too much or takes too long. */
export function answerTo(
  { client }: SshConnection,
  command: string,
  limitBytes: number = answerLimitBytes,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => fail(new Error("the sandbox does not answer")), answerTimeoutMs);
    const fail = (error: Error) => {
      clearTimeout(timer);
      client.destroy();
      reject(error);
    };
    client.once("close", () => fail(new Error("the connection was cut")));
    client.exec(command, (error, channel) => {
      if (error) return fail(error);
      const chunks: Buffer[] = [];
      let size = 0;
      channel.on("data", (chunk: Buffer) => {
        size += chunk.length;
        if (size > limitBytes) fail(new Error("the sandbox answers too much"));
        else chunks.push(chunk);
      });
      channel.stderr.resume();
      channel.once("close", () => {
        clearTimeout(timer);
        resolve(Buffer.concat(chunks).toString("utf8"));
      });
    });
  });
}
