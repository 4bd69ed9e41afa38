import { CallFailure, type Channel, type ProgramsParams, programsParamsSchema } from "@berth/protocol/link";
import { Value } from "typebox/value";
import { errorText, type Log } from "../../log.ts";
import { UpdateRefused } from "./install.ts";

export interface UpdateReceiverOptions {
  log: Log;
  /** Installs a version; a rejection means that nothing has changed. */
  install(archive: Uint8Array, params: ProgramsParams): Promise<void>;
  /** A version is installed, and its controller has been told. */
  onInstalled(): void;
}

/** Time for the answer to leave before the link ends with this agent, in milliseconds. */
const answerMs = 50;

/** Takes updates of the programs from the controller, one at a time, each over a channel of its own. */
export class UpdateReceiver {
  readonly #options: UpdateReceiverOptions;
  #busy = false;

  constructor(options: UpdateReceiverOptions) {
    this.#options = options;
  }

  /** Serves a channel of `programsChannelKind`. The archive is held in memory, which its parameters bound. */
  open(channel: Channel, params: unknown): void {
    if (!Value.Check(programsParamsSchema, params)) {
      channel.close({ code: "invalid_request", detail: "the parameters of the update are not valid" });
      return;
    }
    if (this.#busy) {
      channel.close({ code: "conflict", detail: "another update is going on" });
      return;
    }
    this.#busy = true;
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    channel.handle({
      onData: (payload) => {
        const isWhole = bytes >= params.bytes;
        bytes += payload.byteLength;
        channel.consumed(payload.byteLength);
        if (isWhole) return;
        // The bytes are the link's again after this call.
        chunks.push(Buffer.from(payload));
        if (bytes === params.bytes) void this.#install(channel, Buffer.concat(chunks), params);
        if (bytes <= params.bytes) return;
        this.#busy = false;
        channel.close({ code: "invalid_request", detail: "more bytes than announced" });
      },
      onClose: () => {
        // What is being installed goes on: it is the whole archive.
        if (bytes < params.bytes) this.#busy = false;
      },
    });
  }

  async #install(channel: Channel, archive: Uint8Array, params: ProgramsParams): Promise<void> {
    const { log, install, onInstalled } = this.#options;
    try {
      await install(archive, params);
    } catch (error) {
      this.#busy = false;
      log.error("the update cannot be used", { version: params.version, reason: errorText(error) });
      channel.close({ code: codeOf(error), detail: errorText(error) });
      return;
    }
    log.info("another version of the programs is installed, and tried out", { version: params.version });
    channel.close();
    setTimeout(onInstalled, answerMs);
  }
}

function codeOf(error: unknown): string {
  if (error instanceof UpdateRefused) return "update_refused";
  return error instanceof CallFailure ? error.code : "internal";
}
