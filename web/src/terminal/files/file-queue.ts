import { BerthError, type Failure, fileLimits, randomKey } from "@berth/protocol";
import { describeError } from "../../api/describe-error.ts";
import { Store } from "../../api/store.ts";
import type { OfferedFile } from "./offered-files.ts";
import type { SendFileOptions } from "./send-file.ts";

/** A file on its way into the sandbox. */
export interface FileTransfer {
  readonly id: number;
  readonly name: string;
  readonly bytes: number;
  readonly state: TransferState;
}

export type TransferState =
  | { readonly phase: "waiting" }
  | { readonly phase: "sending"; readonly sentBytes: number }
  /** It is there; where the terminal took no path, it is for the user to type. */
  | { readonly phase: "done"; readonly path: string; readonly typed: boolean }
  /** `again`: it may be tried again. */
  | { readonly phase: "failed"; readonly failure: Failure; readonly again: boolean };

export interface FileQueueOptions {
  terminalId: string;
  send: (options: SendFileOptions) => Promise<{ path: string; typed: boolean }>;
}

/** The files for one terminal, sent one after the other, so that their paths are typed in their order. */
export class FileQueue {
  readonly transfers = new Store<readonly FileTransfer[]>([]);
  readonly #options: FileQueueOptions;
  /** What there is to be sent, with the key by which another attempt is known to be one of the same file. */
  readonly #files = new Map<number, { file: File; key: string }>();
  #nextId = 1;
  #sending: { id: number; abort: AbortController } | undefined;
  #disposed = false;

  constructor(options: FileQueueOptions) {
    this.#options = options;
  }

  /** Takes files in their order. Those that cannot be sent say so at once; all of them, where there is a `refusal`. */
  add(offered: readonly OfferedFile[], refusal: string | null = null): void {
    for (const { file, name, isFolder } of offered) {
      const id = this.#nextId++;
      const failure = refusal === null ? flaw(file, isFolder) : { code: "conflict", message: refusal };
      if (!failure) this.#files.set(id, { file, key: randomKey() });
      const state: TransferState = failure ? { phase: "failed", failure, again: false } : { phase: "waiting" };
      this.transfers.update((all) => [...all, { id, name, bytes: file.size, state }]);
    }
    this.#next();
  }

  /** Stops a file, or forgets what is said of it. */
  remove(id: number): void {
    this.#files.delete(id);
    this.transfers.update((all) => all.filter((transfer) => transfer.id !== id));
    if (this.#sending?.id === id) this.#sending.abort.abort();
  }

  retry(id: number): void {
    this.#set(id, { phase: "waiting" });
    this.#next();
  }

  /** Stops everything. */
  dispose(): void {
    this.#disposed = true;
    this.#sending?.abort.abort();
  }

  #next(): void {
    if (this.#sending || this.#disposed) return;
    const transfer = this.transfers.get().find(({ state }) => state.phase === "waiting");
    const kept = transfer && this.#files.get(transfer.id);
    if (transfer && kept) void this.#send(transfer, kept);
  }

  async #send({ id, name }: FileTransfer, { file, key }: { file: File; key: string }): Promise<void> {
    const abort = new AbortController();
    this.#sending = { id, abort };
    this.#set(id, { phase: "sending", sentBytes: 0 });
    try {
      const { path, typed } = await this.#options.send({
        terminalId: this.#options.terminalId,
        name,
        file,
        key,
        signal: abort.signal,
        onProgress: (sentBytes) => this.#set(id, { phase: "sending", sentBytes }),
      });
      this.#files.delete(id);
      this.#set(id, { phase: "done", path, typed });
    } catch (error) {
      // A cancelled one is not in the list any more.
      this.#set(id, { phase: "failed", failure: describeError(error), again: true });
    } finally {
      this.#sending = undefined;
    }
    this.#next();
  }

  #set(id: number, state: TransferState): void {
    this.transfers.update((all) => all.map((transfer) => (transfer.id === id ? { ...transfer, state } : transfer)));
  }
}

function flaw(file: File, isFolder: boolean): Failure | undefined {
  if (isFolder) {
    return describeError(
      new BerthError("invalid_request", "Folders cannot be dropped.", { hint: "Drop the files in it, or an archive." }),
    );
  }
  if (file.size <= fileLimits.droppedBytes) return undefined;
  return describeError(
    new BerthError("payload_too_large", `Larger than ${fileLimits.droppedBytes / 1024 / 1024} MiB.`, {
      hint: "Bring larger files into the sandbox over SSH, or have them downloaded there.",
    }),
  );
}
