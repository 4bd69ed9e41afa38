import { SerialQueue } from "@berth/base";
import {
  CallFailure,
  type Channel,
  type FileWriteParams,
  type FileWriterMessage,
  fileEndSchema,
  fileWriteParamsSchema,
} from "@berth/protocol/link";
import { Value } from "typebox/value";
import { errorText, type Log } from "../../log.ts";
import { NotAFolder } from "./folder.ts";
import { IncomingFile } from "./incoming-file.ts";

export interface FileWritesOptions {
  /** The workspace's path. */
  workspace: string;
  log: Log;
}

/** Files that are written at once; each holds no more than its channel's window. */
const maxAtOnce = 4;

/** Takes the files that the controller sends into the sandbox, each over a channel of its own. */
export class FileWrites {
  readonly #options: FileWritesOptions;
  readonly #underWay = new Set<string>();
  #open = 0;

  constructor(options: FileWritesOptions) {
    this.#options = options;
  }

  /** Serves a channel of `fileWriteChannelKind`. */
  open(channel: Channel, params: unknown): void {
    if (!Value.Check(fileWriteParamsSchema, params)) {
      channel.close({ code: "invalid_request", detail: "the parameters of the file are not valid" });
    } else if (this.#open >= maxAtOnce) {
      channel.close({ code: "limit_exceeded", detail: `the sandbox takes ${maxAtOnce} files at a time` });
    } else {
      this.#open += 1;
      const { workspace, log } = this.#options;
      const begin = () => IncomingFile.begin({ workspace, name: params.name, underWay: this.#underWay, log });
      new FileWrite(channel, params, { begin, log }).ended.then(() => {
        this.#open -= 1;
      });
    }
  }
}

interface FileWriteDependencies {
  begin: () => Promise<IncomingFile>;
  log: Log;
}

/** One file, from its channel to the disk: the steps run in the order in which their causes came. */
class FileWrite {
  /** Resolves when nothing of it is open any more. */
  readonly ended: Promise<void>;
  readonly #channel: Channel;
  readonly #params: FileWriteParams;
  readonly #log: Log;
  readonly #steps = new SerialQueue();
  readonly #over = Promise.withResolvers<void>();
  #file: IncomingFile | undefined;
  /** It was written, or given up: what still comes does nothing. */
  #isOver = false;

  constructor(channel: Channel, params: FileWriteParams, { begin, log }: FileWriteDependencies) {
    this.#channel = channel;
    this.#params = params;
    this.#log = log;
    this.ended = this.#over.promise;
    channel.handle({
      onData: (payload) => this.#onData(payload),
      onMessage: (message) => this.#step(() => this.#end(message)),
      onClose: () => this.#step(() => this.#giveUp()),
    });
    this.#step(async () => {
      this.#file = await begin();
      this.#tell({ type: "accepted" });
    });
  }

  #onData(payload: Uint8Array): void {
    if (this.#isOver) return;
    // The bytes are the link's again after this call.
    const chunk = Buffer.from(payload);
    this.#step(async () => {
      const file = this.#begun;
      if (file.bytes + chunk.byteLength > this.#params.maxBytes)
        throw new CallFailure("payload_too_large", `the file has more than ${this.#params.maxBytes} bytes`);
      await file.write(chunk);
      this.#channel.consumed(chunk.byteLength);
    });
  }

  async #end(message: unknown): Promise<void> {
    const file = this.#begun;
    if (!Value.Check(fileEndSchema, message) || message.bytes !== file.bytes)
      throw new CallFailure("invalid_request", "the file's end does not fit its bytes");
    const path = await file.finish();
    this.#tell({ type: "written", path, bytes: file.bytes });
    this.#channel.close();
    this.#finish();
  }

  /** Does the next step, unless it is over; after a failed one it is. */
  #step(step: () => Promise<void>): void {
    void this.#steps.run(async () => {
      if (this.#isOver) return;
      try {
        await step();
      } catch (error) {
        this.#channel.close(refusal(error));
        await this.#giveUp();
      }
    });
  }

  async #giveUp(): Promise<void> {
    try {
      await this.#file?.abandon();
    } catch (error) {
      this.#log.warn("what was written of a file could not be removed", { reason: errorText(error) });
    }
    this.#finish();
  }

  #finish(): void {
    this.#isOver = true;
    this.#over.resolve();
  }

  #tell(message: FileWriterMessage): void {
    this.#channel.sendMessage(message);
  }

  get #begun(): IncomingFile {
    if (!this.#file) throw new Error("the file was not begun");
    return this.#file;
  }
}

/** Why a file is not taken, for the controller and in the end for people. */
function refusal(error: unknown): { code: string; detail: string } {
  const code = error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
  if (error instanceof CallFailure) return { code, detail: error.message };
  if (error instanceof NotAFolder)
    return { code: "conflict", detail: `"${error.message}" in the workspace's folder for dropped files is no folder` };
  switch (code) {
    case "ENOSPC":
    case "EDQUOT":
      return { code: "insufficient_storage", detail: "the sandbox's disk is full" };
    case "EACCES":
    case "EPERM":
    case "EROFS":
    case "ENOTDIR":
    case "ELOOP":
      return { code: "conflict", detail: `the workspace cannot be written to (${code})` };
    default:
      return { code: "internal", detail: `the file could not be written: ${errorText(error)}` };
  }
}
