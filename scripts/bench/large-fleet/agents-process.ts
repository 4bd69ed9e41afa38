import type { Scope } from "@berth/base";
import { Compile } from "typebox/compile";
import { type AgentsDescription, type AgentsMessage, agentsMessageSchema } from "./agent-messages.ts";
import { PartnerProcess } from "./partner-process.ts";

const program = new URL("./agents-main.ts", import.meta.url);
const messages = Compile(agentsMessageSchema);

/** Starts a process that plays many agents; the scope ends it. */
export function startAgents(scope: Scope, description: AgentsDescription): Promise<PartnerProcess<AgentsMessage>> {
  return PartnerProcess.start(scope, program, description, messages);
}
