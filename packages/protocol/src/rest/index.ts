export * from "./auth.ts";
export * from "./client.ts";
export * from "./cluster.ts";
export * from "./operations.ts";
export * from "./route.ts";
export * from "./sandboxes.ts";
export * from "./templates.ts";
export * from "./terminals.ts";
