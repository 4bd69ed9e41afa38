import Type, { type Static } from "typebox";
import { failureSchema } from "../errors.ts";
import { nullable, route, strictObject } from "./route.ts";

/** The largest warm pool. */
export const maxPoolSize = 100;
const poolSizeSchema = Type.Integer({ minimum: 0, maximum: maxPoolSize });

/** Sandboxes that are made ahead, booted and bootstrapped, and are nobody's until a create takes one. */
export const poolSchema = Type.Object({
  /** How many there are to be. */
  size: poolSizeSchema,
  /** Those that a create can take at this moment. */
  ready: Type.Integer(),
  /** Those that are being made. */
  filling: Type.Integer(),
  /** How many failed in a row, and why the last one did; null: none. Another is made after a while. */
  failed: nullable(Type.Object({ count: Type.Integer(), reason: failureSchema })),
});
export type Pool = Static<typeof poolSchema>;

export const getPool = route({
  method: "GET",
  path: "/pool",
  summary: "The warm pool: sandboxes that are made ahead for whoever creates one next",
  tag: "cluster",
  access: "user",
  status: 200,
  result: poolSchema,
});

export const updatePool = route({
  method: "PATCH",
  path: "/pool",
  summary: "Set how many sandboxes are made ahead; it counts from then on instead of BERTH_POOL_SIZE",
  tag: "cluster",
  access: "user",
  body: strictObject({ size: poolSizeSchema }),
  status: 200,
  result: poolSchema,
});
