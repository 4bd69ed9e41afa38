import type { Limits } from "../src/limits/limits.ts";

/** A fleet that may have as much as there is. */
export const noLimits: Limits = {
  sandboxes: undefined,
  sandboxesPerUser: undefined,
  cores: undefined,
  memoryMiB: undefined,
  diskGiB: undefined,
};
