import { getPool, type Pool, updatePool } from "@berth/protocol";
import type { Command } from "commander";
import { countOption } from "../options.ts";
import { describe, does, groups, type Run } from "./register.ts";

/** `berth pool`: the sandboxes that are made ahead. */
export function poolCommand(run: Run): Command {
  const command = describe("pool", {
    summary: "Show how many sandboxes are made ahead for whoever creates one next, or set it",
    more: "A new sandbox that fits is taken from there, and is ready at once. With 0 there are none.",
    examples: ["berth pool", "berth pool --size 3"],
    group: groups.more,
  }).option("--size <number>", "how many there are to be");
  return does(command, run, async (session, at) => {
    const client = await session.client();
    const { signal } = session;
    const size = countOption(at, "size");
    const pool =
      size === undefined
        ? await client.call(getPool, {}, { signal })
        : await client.call(updatePool, { body: { size } }, { signal });
    session.output.result(pool, () => told(pool));
    return undefined;
  });
}

/** How it stands with the pool, in lines. */
export function told({ size, ready, filling, failed }: Pool): string {
  const lines = [`${ready} of ${size} ready${filling === 0 ? "" : `, ${filling} being made`}`];
  if (failed) {
    const { message, hint } = failed.reason;
    lines.push(`${failed.count} failed in a row: ${message}`, ...(hint === undefined ? [] : [hint]));
  }
  return `${lines.join("\n")}\n`;
}
