/** The agent's programs as its build lays them out, each one file, and one with their version, a line. */
export const programFiles = ["launch.mjs", "agent.mjs", "pty-host.mjs", "bootstrap.sh", "version"] as const;

/** Those of which a container may have another version than its template. */
export const updatedFiles = ["agent.mjs", "pty-host.mjs", "version"] as const;
