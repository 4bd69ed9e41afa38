import { readFile } from "node:fs/promises";
import { parseJson } from "@berth/protocol";
import { ClusterServer, type SeenCall } from "@berth/testkit";
import { Value } from "typebox/value";
import { type ClusterMessage, clusterSchema, orderSchema } from "./messages.ts";

/** The cluster in a process of its own, so that its work is not taken for the controller's. Argument: a file. */
async function main(): Promise<void> {
  const description = parseJson(await readFile(process.argv[2] ?? "", "utf8"));
  if (!Value.Check(clusterSchema, description)) throw new Error("the cluster's description has another form");
  const calls: SeenCall[] = [];
  const tell = (message: ClusterMessage) => process.send?.(message);
  const cluster = await ClusterServer.start({
    ...description,
    onCall: (call) => {
      calls.push(call);
      if (call.kind === "list") tell({ kind: "listed" });
    },
  });
  process.on("message", (order) => {
    if (!Value.Check(orderSchema, order)) throw new Error("an order has another form");
    if (order.kind === "stop-containers") for (const vmid of order.vmids) cluster.change(vmid, { status: "stopped" });
    if (order.kind === "end-tasks") cluster.endTasks();
    if (order.kind === "tell-calls") tell({ kind: "calls", calls: calls.splice(0) });
  });
  process.once("disconnect", () => void cluster.close());
  tell({ kind: "listening", port: cluster.port });
}

await main();
