import { randomUUID } from "node:crypto";
import { systemClock } from "@berth/base";
import { attachParamsSchema, type TerminalStatus } from "@berth/protocol";
import { CallFailure, type Channel, terminalChannelKind } from "@berth/protocol/link";
import { Compile } from "typebox/compile";
import { ControllerLink } from "../../../agent/src/agent/controller-link.ts";
import type { AgentsDescription } from "./agent-messages.ts";
import { EchoTerminal } from "./echo-terminal.ts";

const attachParams = Compile(attachParamsSchema);
const silent = { info: () => {}, warn: () => {}, error: () => {} };
const never = new AbortController().signal;

/**
 * An agent as the controller sees it: the agent's own link, and terminals that repeat what is typed. It has no sandbox,
 * so whatever would change something there is refused. Resolves never.
 */
export function keepLink(
  agent: AgentsDescription["agents"][number],
  { controllerUrl, controllerCertificate, agentVersion }: AgentsDescription,
  onLink: (linked: boolean) => void,
): Promise<void> {
  const { sandboxId, secret, machineId } = agent;
  const terminals = new Map(agent.terminalIds.map((id) => [id, new EchoTerminal()]));
  const statuses = agent.terminalIds.map(runningStatus);
  const bootId = randomUUID();
  const refuse = () => Promise.reject(new CallFailure("conflict", "this agent has no sandbox"));
  const link = new ControllerLink({
    config: () => {
      const common = { sandboxId, secret, machineId, controllerUrl, controllerCertificate };
      return { ...common, sandboxName: "played", env: {} };
    },
    clock: systemClock,
    log: silent,
    handlers: {
      setEnvironment: () => null,
      listTerminals: () => statuses,
      ensureTerminal: refuse,
      removeTerminal: refuse,
      input: refuse,
      resize: refuse,
      screen: refuse,
      activity: () => ({ uses: [], idleMs: 0 }),
    },
    hello: async () => ({ agentVersion, bootId, machineId, terminals: statuses }),
    onWelcome: async () => {},
    onOpen: (channel, kind, params) => open(terminals, channel, kind, params),
    onLink,
  });
  return link.run(never);
}

function open(terminals: ReadonlyMap<string, EchoTerminal>, channel: Channel, kind: string, params: unknown): void {
  const attaches = kind === terminalChannelKind && attachParams.Check(params) ? params : undefined;
  const terminal = attaches && terminals.get(attaches.terminalId);
  if (terminal) void terminal.attach(channel, attaches);
  else channel.close({ code: "not_found", detail: "there is no such terminal" });
}

function runningStatus(id: string): TerminalStatus {
  const common = { id, state: "running", exit: null, cols: 80, rows: 24 } as const;
  return { ...common, epoch: 1, offset: 0, title: "", lost: false };
}
