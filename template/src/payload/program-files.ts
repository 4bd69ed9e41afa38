/** The agent's programs as its build lays them out, each one file, and one with their version, a line. */
export const programFiles = ["agent.mjs", "pty-host.mjs", "bootstrap.sh", "version"] as const;
