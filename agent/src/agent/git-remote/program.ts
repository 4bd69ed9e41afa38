import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { type GitRemoteService, gitRemoteServices } from "@berth/protocol/link";
import { frameKinds, readFrames } from "./frames.ts";
import { gitSocketName } from "./socket.ts";

/** What makes the agent's bundle this program; the folder of the agent's socket and git's own arguments follow. */
export const gitRemoteArgument = "--git-remote";

export interface GitRemoteStreams {
  readonly stdin: AsyncIterable<Buffer>;
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream;
}

/**
 * A remote helper (gitremote-helpers(7)) with the capability `connect`: git's own protocol goes by the agent's socket to
 * the controller. Git starts it with the remote's name and URL. Answers the exit code.
 */
export async function runGitRemote(
  [folder = "", remote = "", url = remote]: readonly string[],
  { stdin, stdout, stderr }: GitRemoteStreams,
): Promise<number> {
  const input = new Input(stdin);
  for (let line = await input.line(); line !== undefined && line !== ""; line = await input.line()) {
    const service = line.replace(/^connect git-/, "");
    if (line === "capabilities") stdout.write("connect\n\n");
    else if (!isService(service)) stdout.write("fallback\n");
    else {
      const failure = await converse(folder, `${JSON.stringify({ service, url })}\n`, input, stdout);
      if (failure === undefined) return 0;
      stderr.write(`berth: ${failure.replaceAll(/[^\P{Cc}\n]/gu, " ")}\n`);
      return 1;
    }
  }
  return 0;
}

function isService(name: string): name is GitRemoteService {
  return gitRemoteServices.some((service) => service === name);
}

/** Speaks with the agent to the end; answers why it came too early, for people. */
async function converse(
  folder: string,
  request: string,
  input: Input,
  stdout: NodeJS.WritableStream,
): Promise<string | undefined> {
  // A path to the socket may be too long.
  process.chdir(folder);
  const socket = connect({ path: gitSocketName });
  try {
    await once(socket, "connect");
    socket.write(request);
    for await (const { kind, bytes } of readFrames(socket)) {
      if (kind === frameKinds.data) await write(stdout, bytes);
      else if (kind === frameKinds.failed) return bytes.toString();
      else if (kind === frameKinds.done) return undefined;
      else {
        stdout.write("\n");
        void send(input, socket).catch(() => socket.destroy());
      }
    }
    return "the agent of this sandbox has ended; it comes back by itself, so try again";
  } catch {
    return "the agent of this sandbox is not running; it comes back by itself, so try again";
  } finally {
    socket.destroy();
  }
}

async function send(input: Input, socket: Socket): Promise<void> {
  for await (const chunk of input.rest()) await write(socket, chunk);
  socket.end();
}

async function write(stream: NodeJS.WritableStream, bytes: Buffer): Promise<void> {
  if (!stream.write(bytes)) await once(stream, "drain");
}

/** Lines first, and then bytes. */
class Input {
  readonly #chunks: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(chunks: AsyncIterable<Buffer>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** Undefined at the end. */
  async line(): Promise<string | undefined> {
    for (;;) {
      const end = this.#rest.indexOf(0x0a);
      if (end !== -1) {
        const line = this.#rest.subarray(0, end).toString();
        this.#rest = this.#rest.subarray(end + 1);
        return line;
      }
      const next = await this.#chunks.next();
      if (next.done) return undefined;
      this.#rest = Buffer.concat([this.#rest, next.value]);
    }
  }

  async *rest(): AsyncGenerator<Buffer, void, void> {
    if (this.#rest.byteLength > 0) yield this.#rest;
    for (let next = await this.#chunks.next(); !next.done; next = await this.#chunks.next()) yield next.value;
  }
}
