import { WebSocket } from "ws";
import type { Address } from "./terminals/address.ts";
import { readyWord } from "./terminals/programs.ts";

const answerTimeoutMs = 10_000;

/** Somebody who types a key, waits for it to show, and types the next. Whatever is no terminal bytes is passed over. */
export class EchoClient {
  readonly #socket: WebSocket;
  #answered: (() => void) | undefined;
  #failed: ((error: Error) => void) | undefined;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
  }

  /** Connects, and waits until the program repeats keys. */
  static async open({ url, headers }: Address): Promise<EchoClient> {
    const socket = new WebSocket(url, { headers, perMessageDeflate: false });
    const client = new EchoClient(socket);
    const ready = Promise.withResolvers<void>();
    let seen = "";
    const timer = setTimeout(() => ready.reject(new Error(`no "${readyWord}" from ${url}`)), answerTimeoutMs);
    const greet = (bytes: Buffer, isBinary: boolean) => {
      if (isBinary) seen += bytes.toString("latin1");
      if (seen.includes(readyWord)) ready.resolve();
    };
    socket.on("message", greet);
    socket.on("error", ready.reject);
    socket.on("close", (code) => {
      const error = new Error(`${url} closed with ${code}`);
      ready.reject(error);
      client.#failed?.(error);
    });
    try {
      await ready.promise;
    } catch (error) {
      socket.terminate();
      throw error;
    } finally {
      clearTimeout(timer);
    }
    socket.off("message", greet);
    socket.on("message", (_bytes, isBinary) => {
      if (isBinary) client.#answered?.();
    });
    return client;
  }

  /** Types one key after another, each on the last one's answer; answers the milliseconds that each took. */
  async type(keys: number): Promise<number[]> {
    const times: number[] = [];
    for (let key = 0; key < keys; key += 1) {
      const begun = performance.now();
      await this.#key();
      times.push(performance.now() - begun);
    }
    return times;
  }

  close(): void {
    this.#failed = undefined;
    this.#socket.terminate();
  }

  #key(): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error("a key had no answer")), answerTimeoutMs);
      this.#failed = reject;
      this.#answered = () => {
        clearTimeout(timer);
        resolve();
      };
      this.#socket.send("x", { binary: true });
    });
  }
}
