import Type, { type Static } from "typebox";

/** What the agents' process is started with, as a file. */
export const agentsSchema = Type.Object({
  /** `wss://host:port` of the controller, and its certificate, PEM. */
  controllerUrl: Type.String(),
  controllerCertificate: Type.String(),
  agentVersion: Type.String(),
  agents: Type.Array(
    Type.Object({
      sandboxId: Type.String(),
      secret: Type.String(),
      machineId: Type.String(),
      terminalIds: Type.Array(Type.String()),
    }),
  ),
});
export type AgentsDescription = Static<typeof agentsSchema>;

/** From the agents' process. */
export const agentsMessageSchema = Type.Union([
  /** Every agent has its link, after some had none. */
  Type.Object({ kind: Type.Literal("all-linked") }),
  /** No agent has a link any more. */
  Type.Object({ kind: Type.Literal("none-linked") }),
]);
export type AgentsMessage = Static<typeof agentsMessageSchema>;
