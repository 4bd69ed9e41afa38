import { type ChildProcess, fork } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Scope } from "@berth/base";
import { type ClusterServerOptions, type SeenCall, temporaryDirectory } from "@berth/testkit";
import { Compile } from "typebox/compile";
import { type ClusterMessage, clusterMessageSchema, type Order } from "./messages.ts";

const program = fileURLToPath(new URL("./cluster-main.ts", import.meta.url));
const timeoutMs = 30_000;
/** Compiled, since it runs in the process whose CPU is measured. */
const messages = Compile(clusterMessageSchema);

/** A cluster of listed containers in a process of its own. */
export class ClusterProcess {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  /** Starts it; the scope ends it. Answers it with its port. */
  static async start(scope: Scope, options: ClusterServerOptions): Promise<{ cluster: ClusterProcess; port: number }> {
    const folder = await temporaryDirectory("berth-bench-");
    scope.add(folder.dispose);
    const file = join(folder.path, "cluster.json");
    await writeFile(file, JSON.stringify(options));
    const child = fork(program, [file]);
    const cluster = new ClusterProcess(child);
    scope.add(async () => {
      const exited = new Promise((resolve) => child.once("exit", resolve));
      if (child.exitCode === null && child.kill("SIGKILL")) await exited;
    });
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
    return new Promise((resolve, reject) => {
      const settle = () => {
        clearTimeout(timer);
        this.#child.off("message", onMessage).off("exit", onExit);
      };
      const onMessage = (message: unknown) => {
        if (!messages.Check(message) || !isOfKind(message, kind)) return;
        settle();
        resolve(message);
      };
      const onExit = () => {
        settle();
        reject(new Error("the process of the cluster has ended"));
      };
      const timer = setTimeout(() => {
        settle();
        reject(new Error(`no "${kind}" from the cluster`));
      }, timeoutMs);
      this.#child.on("message", onMessage).on("exit", onExit);
    });
  }

  #order(order: Order): void {
    this.#child.send(order);
  }
}

function isOfKind<K extends ClusterMessage["kind"]>(
  message: ClusterMessage,
  kind: K,
): message is Extract<ClusterMessage, { kind: K }> {
  return message.kind === kind;
}
