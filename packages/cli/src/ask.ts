import { interrupted, wrongUsage } from "./failure.ts";
import type { KeyStream, Surroundings } from "./session.ts";

/** A line of more than this was not meant for us. */
const maxLineCharacters = 64 * 1024;

/** Asks for a secret without showing it; where nobody types, reads it from the standard input. */
export async function askSecret({ stdin, stderr, signal }: Surroundings, prompt: string): Promise<string> {
  if (!stdin.isTTY || !stdin.setRawMode) return firstLine(stdin, signal);
  stderr.write(prompt);
  stdin.setRawMode(true);
  try {
    return await typedSecret(stdin, signal);
  } finally {
    stdin.setRawMode(false);
    stderr.write("\n");
  }
}

/** Asks a question that is answered by y or n; no where nobody types. */
export async function confirm({ stdin, stderr, signal }: Surroundings, question: string): Promise<boolean> {
  if (!stdin.isTTY) return false;
  stderr.write(`${question} [y/N] `);
  return /^y(es)?$/i.test((await firstLine(stdin, signal)).trim());
}

/** The first line of a stream, without its end. */
export async function firstLine(stdin: KeyStream, signal: AbortSignal): Promise<string> {
  let text = "";
  const line = await read(stdin, signal, (chunk) => {
    text += chunk;
    const end = text.indexOf("\n");
    if (end >= 0) return text.slice(0, end).replace(/\r$/, "");
    if (text.length > maxLineCharacters) throw wrongUsage("The line on the standard input is too long.");
    return undefined;
  });
  if ((line ?? text) === "") throw wrongUsage("Nothing was given on the standard input.");
  return line ?? text;
}

/** In raw mode the terminal edits nothing, so Backspace, Ctrl-U and Ctrl-C are ours. */
async function typedSecret(stdin: KeyStream, signal: AbortSignal): Promise<string> {
  let secret = "";
  const typed = await read(stdin, signal, (chunk) => {
    for (const character of chunk) {
      if (character === "\r" || character === "\n") return secret;
      if (character === "\u0003" || character === "\u0004") throw interrupted();
      if (character === "\u007f" || character === "\b") secret = [...secret].slice(0, -1).join("");
      else if (character === "\u0015") secret = "";
      else secret += character;
    }
    return undefined;
  });
  if (typed === undefined) throw interrupted();
  return typed;
}

/** Gives what comes to `take` until it answers something; answers that, or undefined at the stream's end. */
function read(
  stdin: KeyStream,
  signal: AbortSignal,
  take: (text: string) => string | undefined,
): Promise<string | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<string | undefined>();
  const decoder = new TextDecoder();
  const onData = (chunk: Buffer | string) => {
    try {
      const taken = take(typeof chunk === "string" ? chunk : decoder.decode(chunk, { stream: true }));
      if (taken !== undefined) resolve(taken);
    } catch (error) {
      reject(error);
    }
  };
  const onEnd = () => resolve(undefined);
  const onAbort = () => reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  stdin.on("data", onData).on("end", onEnd).on("error", reject);
  stdin.resume();
  return promise.finally(() => {
    signal.removeEventListener("abort", onAbort);
    stdin.off("data", onData).off("end", onEnd).off("error", reject);
    stdin.pause();
  });
}
