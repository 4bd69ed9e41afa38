export * from "./attach.ts";
export * from "./bootstrap.ts";
export * from "./errors.ts";
export * from "./guest.ts";
export { parseJson } from "./json.ts";
export { fileLimits } from "./link/file-write.ts";
export type { Screen, TerminalKind, TerminalStatus } from "./link/interfaces.ts";
export * from "./names.ts";
export * from "./rest/index.ts";
