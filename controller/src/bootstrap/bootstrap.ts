import {
  type BootstrapRequest,
  type BootstrapResult,
  bootstrapRequestText,
  bootstrapResultSchema,
  bootstrapSubsystem,
  parseJson,
} from "@berth/protocol";
import { Value } from "typebox/value";
import type { SshConnection } from "./connect.ts";

/** What a bootstrap may answer and take. */
const maxAnswerBytes = 64 * 1024;
const timeoutMs = 30_000;
/** How much of its own words goes into an error. */
const maxToldCharacters = 500;

/** The bootstrap program in the container refused or failed; the message is its own, or tells how it ended. */
export class BootstrapRefused extends Error {
  override readonly name = "BootstrapRefused";
}

/**
 * Runs the bootstrap in a fresh clone. It may be repeated: each of its steps says how things are to be. Rejects with
 * `BootstrapRefused`, or with a `TypeError`, having sent nothing, if the request is not valid.
 */
export async function runBootstrap(connection: SshConnection, request: BootstrapRequest): Promise<BootstrapResult> {
  const text = bootstrapRequestText(request);
  return await new Promise((resolve, reject) => {
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
      let complaints = "";
      channel.stderr.on("data", (chunk: Buffer) => {
        complaints = (complaints + chunk.toString("utf8")).slice(0, maxToldCharacters);
      });
      channel.once("close", () => {
        const answer = parseJson(Buffer.concat(chunks).toString("utf8"));
        if (!Value.Check(bootstrapResultSchema, answer)) return fail(refusal(answer, complaints));
        clearTimeout(timer);
        resolve(answer);
      });
      channel.end(text);
    });
  });
}

/** What the bootstrap said, with what the programs that it ran complained of. */
function refusal(answer: unknown, complaints: string): string {
  const told = typeof answer === "object" && answer !== null && "error" in answer ? answer.error : undefined;
  const reason = typeof told === "string" ? told.slice(0, maxToldCharacters) : "it gave no answer";
  const details = complaints.replaceAll(/\s+/g, " ").trim();
  return details === "" ? reason : `${reason} (${details})`;
}
