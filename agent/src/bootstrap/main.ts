import { bootstrapRequestSchema, parseJson } from "@berth/protocol";
import { Value } from "typebox/value";
import { errorText } from "../log.ts";
import { rootOf } from "../root.ts";
import { thisMachine } from "./machine.ts";
import { bootstrap } from "./steps.ts";

/** A request of the largest size that its schema allows is below this. */
const maxRequestBytes = 16 * 1024 * 1024;

/** The SSH subsystem of a fresh clone: one JSON request in, one line of JSON out, a result or `{error}`. */
async function main(): Promise<void> {
  const request = parseJson(await readAll(process.stdin, maxRequestBytes));
  if (!Value.Check(bootstrapRequestSchema, request)) throw new Error("the bootstrap request is not valid");
  const result = await bootstrap(rootOf(process.env), request, thisMachine);
  process.stdout.write(`${JSON.stringify(result)}\n`);
}

async function readAll(stream: NodeJS.ReadableStream, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    const part = Buffer.from(chunk);
    bytes += part.byteLength;
    if (bytes > maxBytes) throw new Error("the bootstrap request is too long");
    chunks.push(part);
  }
  return Buffer.concat(chunks).toString("utf8");
}

main().catch((error: unknown) => {
  process.stdout.write(`${JSON.stringify({ error: errorText(error) })}\n`);
  process.exitCode = 1;
});
