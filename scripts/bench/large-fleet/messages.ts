import Type, { type Static } from "typebox";

/** What the cluster's process is started with, as a file. */
export const clusterSchema = Type.Object({
  nodes: Type.Array(Type.String()),
  certificate: Type.String(),
  privateKey: Type.String(),
  containers: Type.Array(
    Type.Object({
      vmid: Type.Integer(),
      name: Type.String(),
      description: Type.String(),
      status: Type.Enum(["running", "stopped"]),
      node: Type.String(),
      address: Type.String(),
    }),
  ),
});

/** To the cluster's process. */
export const orderSchema = Type.Union([
  Type.Object({ kind: Type.Literal("stop-containers"), vmids: Type.Array(Type.Integer()) }),
  Type.Object({ kind: Type.Literal("end-tasks") }),
  Type.Object({ kind: Type.Literal("tell-calls") }),
]);
export type Order = Static<typeof orderSchema>;

const callSchema = Type.Object({
  kind: Type.Enum(["list", "nodes", "config", "status", "interfaces", "act", "task", "missing", "other"]),
  vmid: Type.Union([Type.Integer(), Type.Undefined()]),
});

/** From the cluster's process. */
export const clusterMessageSchema = Type.Union([
  Type.Object({ kind: Type.Literal("listening"), port: Type.Integer() }),
  /** The list of all containers was asked for. */
  Type.Object({ kind: Type.Literal("listed") }),
  /** The calls since the last answer of this kind. */
  Type.Object({ kind: Type.Literal("calls"), calls: Type.Array(Type.Partial(callSchema)) }),
]);
export type ClusterMessage = Static<typeof clusterMessageSchema>;
