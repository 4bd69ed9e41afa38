import { setTimeout as wait } from "node:timers/promises";
import { parseJson } from "@berth/protocol";
import Type from "typebox";
import { Value } from "typebox/value";
import { WebSocket } from "ws";

/** Where Node's inspector listens after SIGUSR1. */
const listUrl = "http://127.0.0.1:9229/json/list";
const timeoutMs = 10_000;
const targetsSchema = Type.Array(Type.Object({ webSocketDebuggerUrl: Type.String() }));
const answerSchema = Type.Object({
  id: Type.Integer(),
  result: Type.Optional(Type.Unknown()),
  error: Type.Optional(Type.Unknown()),
});
const valueSchema = Type.Object({ result: Type.Object({ value: Type.Unknown() }) });

/** The inspector of a Node process on this machine that knows nothing of being measured. */
export class Inspector {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  #nextId = 1;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on("message", (data) => {
      const answer = parseJson(data.toString());
      if (!Value.Check(answerSchema, answer)) return;
      const waiting = this.#waiting.get(answer.id);
      this.#waiting.delete(answer.id);
      if (answer.error === undefined) waiting?.resolve(answer.result);
      else waiting?.reject(new Error(JSON.stringify(answer.error)));
    });
    socket.on("close", () => {
      for (const { reject } of this.#waiting.values()) reject(new Error("the inspected process has ended"));
    });
  }

  /** Works with the inspector of a process, and closes it again. Rejects when another process has the port. */
  static async inspect<T>(pid: number, work: (inspector: Inspector) => Promise<T>): Promise<T> {
    process.kill(pid, "SIGUSR1");
    const inspector = new Inspector(await connect());
    try {
      if ((await inspector.evaluate("process.pid")) !== pid) throw new Error("another process is being inspected");
      return await work(inspector);
    } finally {
      // The port is free again for the next one. The answer does not come: the connection ends.
      await inspector.evaluate("process.mainModule, void setTimeout(() => process._debugEnd(), 10)").catch(() => {});
      await wait(50);
      inspector.#socket.terminate();
    }
  }

  /** Calls a method of the inspector's protocol. */
  call(method: string, params: object = {}): Promise<unknown> {
    const id = this.#nextId++;
    const waiting = Promise.withResolvers<unknown>();
    this.#waiting.set(id, waiting);
    this.#socket.send(JSON.stringify({ id, method, params }));
    return waiting.promise;
  }

  /** The value of an expression in the process. */
  async evaluate(expression: string): Promise<unknown> {
    const answer = await this.call("Runtime.evaluate", { expression, returnByValue: true });
    return Value.Check(valueSchema, answer) ? answer.result.value : undefined;
  }
}

async function connect(): Promise<WebSocket> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    try {
      const targets: unknown = await (await fetch(listUrl)).json();
      const url = Value.Check(targetsSchema, targets) ? targets[0]?.webSocketDebuggerUrl : undefined;
      if (url !== undefined) return await open(url);
    } catch (error) {
      if (performance.now() > deadline) throw error;
    }
    await wait(50);
  }
}

function open(url: string): Promise<WebSocket> {
  const socket = new WebSocket(url, { perMessageDeflate: false, maxPayload: 1024 * 1024 * 1024 });
  return new Promise((resolve, reject) => {
    socket.once("open", () => resolve(socket));
    socket.once("error", reject);
  });
}
