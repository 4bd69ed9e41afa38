/** The agent's bundles, each one file. */
export const bundles = ["agent.mjs", "pty-host.mjs", "bootstrap.mjs"] as const;
