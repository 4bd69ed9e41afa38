import type { AttachScreen } from "@berth/protocol/viewer";
import type { Output } from "../output/output.ts";
import type { Front } from "./attach.ts";

/** Output as lines of JSON, and nobody types. */
export class JsonFront implements Front {
  readonly screen: AttachScreen;
  readonly #decoder = new TextDecoder();

  constructor(output: Output) {
    this.screen = {
      write: (bytes, digested) => {
        void output.line({ output: this.#decoder.decode(bytes, { stream: true }) }).then(digested);
      },
      resized: () => {},
    };
  }

  start(): void {}
  state(): void {}
  stop(): void {}
}

/** Output alone, for a pipe or a file: nobody types, and a program's bytes go through as they are. */
export class PipeFront implements Front {
  readonly screen: AttachScreen;
  readonly #output: Output;
  #away = false;

  constructor(output: Output) {
    this.#output = output;
    this.screen = {
      write: (bytes, digested) => void output.stdout.write(bytes, () => digested()),
      resized: () => {},
    };
  }

  start(): void {}

  state({ phase }: Parameters<Front["state"]>[0]): void {
    if (phase === "waiting" && !this.#away) this.#output.note("The connection is away; trying again.");
    this.#away = phase === "waiting" || (phase === "connecting" && this.#away);
  }

  stop(): void {}
}
