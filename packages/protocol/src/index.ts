export * from "./guest.ts";
export * from "./names.ts";
