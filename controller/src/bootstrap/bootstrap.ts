import {
  type BootstrapRequest,
  type BootstrapResult,
  bootstrapResultSchema,
  bootstrapSubsystem,
  parseJson,
} from "@berth/protocol";
import { Value } from "typebox/value";
import type { SshConnection } from "./connect.ts";

/** What a bootstrap may answer and take. */
const maxAnswerBytes = 64 * 1024;
const timeoutMs = 30_000;

/** The bootstrap program in the container refused or failed; the message is its own, or tells how it ended. */
export class BootstrapRefused extends Error {
  override readonly name = "BootstrapRefused";
}

/** Runs the bootstrap in a fresh clone. It may be repeated: each of its steps says how things are to be. */
export function runBootstrap(connection: SshConnection, request: BootstrapRequest): Promise<BootstrapResult> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => fail("it did not end within 30 seconds"), timeoutMs);
    const fail = (reason: string) => {
      clearTimeout(timer);
      connection.close();
      reject(new BootstrapRefused(`The bootstrap in the container failed: ${reason}`));
    };
    connection.client.once("close", () => fail("the connection was cut"));
    connection.client.subsys(bootstrapSubsystem, (error, channel) => {
      if (error) return fail(`the template has no ${bootstrapSubsystem} (${error.message})`);
      const chunks: Buffer[] = [];
      let size = 0;
      channel.on("data", (chunk: Buffer) => {
        size += chunk.length;
        if (size > maxAnswerBytes) fail("its answer is too long");
        else chunks.push(chunk);
      });
      channel.stderr.resume();
      channel.once("close", () => {
        const answer = parseJson(Buffer.concat(chunks).toString("utf8"));
        if (!Value.Check(bootstrapResultSchema, answer)) return fail(refusal(answer));
        clearTimeout(timer);
        resolve(answer);
      });
      channel.end(JSON.stringify(request));
    });
  });
}

function refusal(answer: unknown): string {
  const told = typeof answer === "object" && answer !== null && "error" in answer ? answer.error : undefined;
  return typeof told === "string" ? told.slice(0, 500) : "it gave no answer";
}
