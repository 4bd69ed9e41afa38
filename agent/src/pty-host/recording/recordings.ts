import { dirname } from "node:path";
import { SerialQueue } from "@berth/base";
import { makePrivateDirectory, readTextIfExists, writeFileAtomic } from "@berth/base/node";
import { BerthError, parseJson, type RecordingParams, recordingLimits, recordingParamsSchema } from "@berth/protocol";
import type { Channel } from "@berth/protocol/link";
import Type from "typebox";
import { Value } from "typebox/value";
import { errorText, type Log } from "../../log.ts";
import { limits } from "../limits.ts";
import { asciicast } from "./asciicast.ts";
import { sendRecording } from "./send.ts";
import { RecordingShelf } from "./shelf.ts";
import type { RecordingSource } from "./source.ts";

const settingsSchema = Type.Object({ version: Type.Literal(1), recording: Type.Boolean() });

/** What recording needs of a terminal. */
export interface RecordedTerminal {
  recording(epoch?: number): Promise<RecordingSource | undefined>;
  applyRecording(): Promise<void>;
}

export interface RecordingsOptions {
  readonly terminals: ReadonlyMap<string, RecordedTerminal>;
  /** Where the setting is kept; without it, it is forgotten. */
  readonly settingsFile?: string;
  readonly log: Log;
}

/** The recordings of a PTY host: whether there are any, how long they are kept, and who reads them. */
export class Recordings {
  readonly shelf: RecordingShelf;
  readonly #options: RecordingsOptions;
  readonly #changes = new SerialQueue();
  #readers = 0;
  #sweeps: NodeJS.Timeout | undefined;

  constructor(options: RecordingsOptions) {
    this.#options = options;
    this.shelf = new RecordingShelf(options.log);
  }

  /** Reads the setting. Before the terminals are read. */
  async load(): Promise<void> {
    const { settingsFile } = this.#options;
    const settings = settingsFile === undefined ? undefined : parseJson((await readTextIfExists(settingsFile)) ?? "");
    if (Value.Check(settingsSchema, settings)) this.shelf.on = settings.recording;
  }

  /** Goes to work, once the terminals are read. */
  async begin(): Promise<void> {
    // Off again, if a host was killed before it had deleted everything.
    if (!this.shelf.on) await this.#apply();
    this.#sweeps = setInterval(() => void this.shelf.sweep(), limits.recordingSweepMs);
    this.#sweeps.unref();
  }

  end(): void {
    clearInterval(this.#sweeps);
  }

  /** Switches recording on, or off for good: what there is is deleted. Rejects if that cannot be kept or done. */
  async configure(recording: boolean): Promise<void> {
    await this.#changes.run(async () => {
      if (recording === this.shelf.on) return;
      this.shelf.on = recording;
      await this.#apply();
      const { settingsFile, log } = this.#options;
      log.info("the recording of terminals was switched", { recording });
      if (settingsFile === undefined) return;
      await makePrivateDirectory(dirname(settingsFile));
      await writeFileAtomic(settingsFile, JSON.stringify({ version: 1, recording }));
    });
  }

  /** Serves a channel that a peer opened for a recording. */
  open(channel: Channel, params: unknown): void {
    if (!Value.Check(recordingParamsSchema, params)) {
      channel.close({ code: "invalid_request", detail: "parameters that are not valid" });
      return;
    }
    sendRecording(channel, this.#read(params)).catch((error: unknown) => {
      const { terminalId } = params;
      const expected = error instanceof BerthError;
      if (!expected) this.#options.log.error("a recording could not be read", { terminalId, reason: errorText(error) });
      channel.close({
        code: expected ? error.code : "internal",
        detail: expected ? error.message : "the recording could not be read",
      });
    });
  }

  /** Throws `BerthError` if there is nothing to read, or too many read. */
  async *#read({ terminalId, epoch }: RecordingParams): AsyncGenerator<Uint8Array> {
    const terminal = this.#options.terminals.get(terminalId);
    if (!terminal) throw new BerthError("not_found", "there is no such terminal");
    if (this.#readers >= recordingLimits.atOnce) {
      throw new BerthError("limit_exceeded", `${this.#readers} recordings of this sandbox are being read`);
    }
    this.#readers += 1;
    try {
      const source = await terminal.recording(epoch);
      if (!source) throw new BerthError("not_found", "terminals are not recorded");
      if (epoch !== undefined && epoch !== source.meta.epoch && source.parts.length === 0) {
        throw new BerthError("not_found", `nothing is kept of epoch ${epoch}`);
      }
      yield* asciicast(source);
    } finally {
      this.#readers -= 1;
    }
  }

  async #apply(): Promise<void> {
    await Promise.all([...this.#options.terminals.values()].map((terminal) => terminal.applyRecording()));
  }
}
