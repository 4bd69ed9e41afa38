/** Plays many agents in one process, each with a link of its own. Argument: a file. */
import { readFile } from "node:fs/promises";
import { parseJson } from "@berth/protocol";
import { Value } from "typebox/value";
import { type AgentsMessage, agentsSchema } from "./agent-messages.ts";
import { keepLink } from "./played-agent.ts";

async function main(): Promise<void> {
  const description = parseJson(await readFile(process.argv[2] ?? "", "utf8"));
  if (!Value.Check(agentsSchema, description)) throw new Error("the agents' description has another form");
  const tell = (message: AgentsMessage) => process.send?.(message);
  let links = 0;
  const onLink = (linked: boolean) => {
    links += linked ? 1 : -1;
    if (links === description.agents.length) tell({ kind: "all-linked" });
    if (links === 0) tell({ kind: "none-linked" });
  };
  process.once("disconnect", () => process.exit(0));
  for (const agent of description.agents) void keepLink(agent, description, onLink);
}

await main();
