import { guestPaths } from "@berth/protocol";

/** A program that runs in every container for as long as the container does. */
export interface Unit {
  readonly name: string;
  /** What it does, in words for `systemctl status`. */
  readonly description: string;
  /** Arguments of the container's `node`: a bundle, relative to the container's root. */
  readonly program: string;
  /** The unit starts only once this file is there; relative to the root. */
  readonly condition: string;
  /** Units that are started before this one. */
  readonly wants: readonly string[];
}

/**
 * The programs of Berth in a container, in the order of their start. They are restarted whenever they end. The PTY host
 * is a unit of its own so that terminals outlive the agent.
 */
export const units: readonly Unit[] = [
  {
    name: "berth-pty-host",
    description: "Berth: holds the terminals",
    program: `${guestPaths.programs}/pty-host.mjs`,
    condition: guestPaths.agentConfig,
    wants: [],
  },
  {
    name: "berth-agent",
    description: "Berth: links this sandbox with its controller",
    program: `${guestPaths.programs}/agent.mjs`,
    condition: guestPaths.agentConfig,
    wants: ["berth-pty-host"],
  },
];
