export * from "./attach.ts";
export * from "./errors.ts";
export * from "./guest.ts";
export { parseJson } from "./json.ts";
export * from "./names.ts";
