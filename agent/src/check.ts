/** A program of Berth's that gets this argument loads all it needs, prints its answer, and ends. */
export const checkArgument = "--check";

/** What the programs print. */
export const checkAnswer = {
  agent: (version: string): string => `agent ${version}`,
  /** The form of what one host hands to the next: a host that does not know it says so here. */
  ptyHost: "handover 1",
} as const;
