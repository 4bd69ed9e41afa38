import { spawn } from "node:child_process";
import { pipeline } from "node:stream/promises";
import { type Payload, payloadArchive, unpackCommand } from "../../src/index.ts";

/** Unpacks a payload below this root as a builder does in a container, whose root is `/`. */
export async function unpackPayload(payload: Payload, root: string): Promise<void> {
  const [command = "", ...args] = unpackCommand.replace("--directory=/", `--directory=${root}`).split(" ");
  const tar = spawn(command, args, { stdio: ["pipe", "inherit", "inherit"] });
  const ended = new Promise((resolve) => tar.once("close", resolve));
  await pipeline(payloadArchive(payload), tar.stdin);
  const code = await ended;
  if (code !== 0) throw new Error(`tar ended with ${String(code)}`);
}
