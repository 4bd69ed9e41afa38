import type { Workspaces } from "../src/sandboxes/module.ts";

/** Workspaces of sandboxes that are empty at first. */
export const emptyWorkspaces: Workspaces = {
  wish: async () => ({}),
  fill: () => Promise.reject(new Error("an empty workspace was to be filled")),
  keep: async () => undefined,
  lastLook: async () => undefined,
  gone: async () => {},
};
