import type { Readable } from "node:stream";
import type { Clock } from "@berth/base";
import type { ClientChannel } from "ssh2";
import type { SshConnection } from "../bootstrap/connect.ts";

export interface RemoteCommandOptions {
  /** Its standard input; without it that is empty. */
  readonly input?: Readable;
  /** Gets each line of both outputs, cut at 2,000 characters. */
  onLine(line: string): void;
  /** Called as input goes out, with all bytes so far. */
  onSent?(bytes: number): void;
  /** It is given up when nothing was said or sent for so long, in milliseconds. */
  readonly silenceMs: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** A command in a container came to no end: the connection broke, or it fell silent. */
export class RemoteCommandLost extends Error {
  override readonly name = "RemoteCommandLost";
}

const maxLineChars = 2_000;

/** Runs a command over SSH; answers its exit code. Rejects with `RemoteCommandLost`, or with the signal's reason. */
export async function runRemote(
  connection: SshConnection,
  command: string,
  options: RemoteCommandOptions,
): Promise<number> {
  options.signal.throwIfAborted();
  const over = new AbortController();
  const heard = watchSilence(options, over.signal, () => connection.close());
  const abort = () => connection.close();
  options.signal.addEventListener("abort", abort, { once: true });
  try {
    const code = await open(connection, command, (channel) => exitOf(channel, connection, options, heard.note));
    options.signal.throwIfAborted();
    if (code !== undefined) return code;
    throw new RemoteCommandLost(
      heard.silent()
        ? `it said nothing for ${Math.round(options.silenceMs / 60_000)} minutes`
        : "the connection to the container broke",
    );
  } finally {
    over.abort();
    options.signal.removeEventListener("abort", abort);
    options.input?.destroy();
  }
}

/** `follow` gets the channel before anything has come of it: all of a quick command's answer may come at once. */
function open<T>(
  { client }: SshConnection,
  command: string,
  follow: (channel: ClientChannel) => Promise<T>,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const broken = () => reject(new RemoteCommandLost("the connection to the container broke"));
    client.once("close", broken);
    client.exec(command, (error, channel) => {
      client.removeListener("close", broken);
      if (error) reject(new RemoteCommandLost(`the container's SSH server refused a command: ${error.message}`));
      else resolve(follow(channel));
    });
  });
}

/** Resolves to the exit code, or to undefined when the channel closed without one. */
async function exitOf(
  channel: ClientChannel,
  { client }: SshConnection,
  { input, onLine, onSent }: RemoteCommandOptions,
  heard: () => void,
): Promise<number | undefined> {
  let code: number | undefined;
  const ended = new Promise<void>((resolve, reject) => {
    channel.once("close", resolve);
    client.once("close", () => resolve());
    // Input that cannot be read is this side's fault, and is told as such.
    input?.once("error", reject);
  });
  channel.on("exit", (value: number | null) => {
    code = value ?? undefined;
  });
  for (const stream of [channel, channel.stderr]) {
    stream.on("data", lineReader(heard, onLine));
  }
  if (input === undefined) channel.end();
  else {
    let bytes = 0;
    input.on("data", (chunk: Buffer) => {
      heard();
      bytes += chunk.length;
      onSent?.(bytes);
    });
    // A command that ends before it has read its input tells so by its exit code.
    channel.on("error", () => {});
    input.pipe(channel);
  }
  await ended;
  return code;
}

/** Cuts a stream of bytes into lines; what a carriage return overwrote is left out. */
function lineReader(heard: () => void, onLine: (line: string) => void): (chunk: Buffer) => void {
  const decoder = new TextDecoder();
  let rest = "";
  return (chunk) => {
    heard();
    rest += decoder.decode(chunk, { stream: true });
    const lines = rest.split("\n");
    rest = (lines.pop() ?? "").slice(-maxLineChars);
    for (const line of lines) onLine(readable(line));
  };
}

function readable(line: string): string {
  const shown = line.replace(/\r$/, "").split("\r").at(-1) ?? "";
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours and other controls of a terminal say nothing here
  return shown.replace(/\u001b\[[0-9;?]*[A-Za-z]|[\u0000-\u0008\u000b-\u001f\u007f]/g, "").slice(0, maxLineChars);
}

function watchSilence({ clock, silenceMs }: RemoteCommandOptions, over: AbortSignal, giveUp: () => void) {
  let at = clock.now();
  let silent = false;
  const watch = async () => {
    while (!over.aborted) {
      const leftMs = at + silenceMs - clock.now();
      if (leftMs <= 0) {
        silent = true;
        giveUp();
        return;
      }
      await clock.sleep(leftMs, over).catch(() => {});
    }
  };
  void watch();
  return {
    note: () => {
      at = clock.now();
    },
    silent: () => silent,
  };
}
