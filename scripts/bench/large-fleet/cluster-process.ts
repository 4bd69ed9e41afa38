import type { Scope } from "@berth/base";
import type { ClusterServerOptions, SeenCall } from "@berth/testkit";
import { Compile } from "typebox/compile";
import { type ClusterMessage, clusterMessageSchema, type Order } from "./messages.ts";
import { PartnerProcess } from "./partner-process.ts";

const program = new URL("./cluster-main.ts", import.meta.url);
const messages = Compile(clusterMessageSchema);

/** A cluster of listed containers in a process of its own. */
export class ClusterProcess {
  readonly #partner: PartnerProcess<ClusterMessage>;

  private constructor(partner: PartnerProcess<ClusterMessage>) {
    this.#partner = partner;
  }

  /** Starts it; the scope ends it. Answers it with its port. */
  static async start(scope: Scope, options: ClusterServerOptions): Promise<{ cluster: ClusterProcess; port: number }> {
    const partner = await PartnerProcess.start(scope, program, options, messages);
    const cluster = new ClusterProcess(partner);
    const { port } = await cluster.next("listening");
    return { cluster, port };
  }

  /** Containers stop by themselves. */
  stopContainers(vmids: readonly number[]): void {
    this.#order({ kind: "stop-containers", vmids: [...vmids] });
  }

  endTasks(): void {
    this.#order({ kind: "end-tasks" });
  }

  /** The calls since it was last asked. */
  async calls(): Promise<readonly Partial<SeenCall>[]> {
    const answer = this.next("calls");
    this.#order({ kind: "tell-calls" });
    return (await answer).calls;
  }

  /** The next message of a kind; rejects when it does not come. */
  next<K extends ClusterMessage["kind"]>(kind: K): Promise<Extract<ClusterMessage, { kind: K }>> {
    return this.#partner.next(kind);
  }

  #order(order: Order): void {
    this.#partner.order(order);
  }
}
