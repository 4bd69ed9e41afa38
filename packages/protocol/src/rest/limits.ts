import Type, { type Static } from "typebox";
import { nullable, route } from "./route.ts";

/** What is used of something, and the most that may be; null: as much as there is. */
const useSchema = Type.Object({ used: Type.Integer(), limit: nullable(Type.Integer()) });

/** What sandboxes come to together; those of the warm pool, and those on their way out, do not count. */
const usesSchema = Type.Object({
  sandboxes: useSchema,
  /** Of those that run or sleep: any use wakes one. */
  cores: useSchema,
  /** Of those that run or sleep. */
  memoryMiB: useSchema,
  diskGiB: useSchema,
});

export const limitsSchema = Type.Object({ fleet: usesSchema, mine: usesSchema });
export type LimitsInUse = Static<typeof limitsSchema>;

export const getLimits = route({
  method: "GET",
  path: "/limits",
  summary: "What all sandboxes and yours come to, and how much they may",
  tag: "cluster",
  access: "user",
  status: 200,
  result: limitsSchema,
});
