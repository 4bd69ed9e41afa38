import Type, { type Static } from "typebox";

/** Raw LXC keys of a template's configuration that tell how to reach it: `lxc.environment = BERTH_SSH_PORT=2222`. */
export const templateEnvironment = {
  sshPort: "BERTH_SSH_PORT",
  sshUser: "BERTH_SSH_USER",
  /** What is in the bundled template, as `templateNote` of `@berth/template` writes it. */
  contents: "BERTH_TEMPLATE",
} as const;

/** Environment of a sandbox's programs: at most 64 KiB in all, checked where it enters. */
export const environmentSchema = Type.Record(
  Type.String({ pattern: "^[A-Za-z_][A-Za-z0-9_]{0,127}$" }),
  Type.String({ maxLength: 16384, pattern: "^[^\\u0000]*$" }),
  { maxProperties: 256 },
);
export type Environment = Static<typeof environmentSchema>;

/** The agent's configuration, a file in the sandbox. */
export const agentConfigSchema = Type.Object(
  {
    sandboxId: Type.String({ maxLength: 64 }),
    sandboxName: Type.String({ maxLength: 63 }),
    /** The machine-id that this configuration was made for: in a copy of the container it differs, and the agent stays silent. */
    machineId: Type.String({ pattern: "^[0-9a-f]{32}$" }),
    /** `wss://host:port`, the controller as the container sees it. */
    controllerUrl: Type.String({ maxLength: 512, pattern: "^wss://" }),
    /** The controller's certificate, PEM: the only one accepted. */
    controllerCertificate: Type.String({ maxLength: 16384 }),
    secret: Type.String({ minLength: 32, maxLength: 128 }),
    /** For every terminal: the Claude credential, and what the owner set. */
    env: environmentSchema,
  },
  { additionalProperties: false },
);
export type AgentConfig = Static<typeof agentConfigSchema>;
