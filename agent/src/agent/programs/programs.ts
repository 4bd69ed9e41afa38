import type { Clock } from "@berth/base";
import { CallFailure, type Channel, type ProgramsParams } from "@berth/protocol/link";
import { isExhausted } from "../../launch/choice.ts";
import type { UpdatesState } from "../../launch/state.ts";
import type { Log } from "../../log.ts";
import type { PtyHostLink } from "../pty-host-link.ts";
import { HostVersion } from "./host-version.ts";
import { UpdateReceiver } from "./incoming-update.ts";
import { installUpdate } from "./install.ts";
import { tryOut } from "./trial.ts";
import { settleUpdates, writeState } from "./updates-folder.ts";

export interface AgentProgramsOptions {
  /** Where updates lie. */
  folder: string;
  /** Of the programs that run, and the path of the PTY host's. */
  version: string;
  ptyHostProgram: string;
  ptyHost: Pick<PtyHostLink, "call" | "connected" | "wanted">;
  /** Whether the controller is there, as far as that can be told without a link. */
  isControllerThere(): Promise<boolean>;
  clock: Clock;
  log: Log;
  /** Ends this agent, for its supervisor to start the version that counts. */
  restart(): void;
}

/** The versions of Berth's own programs in a container: updates come in, prove themselves, or are given up. */
export class AgentPrograms {
  readonly #options: AgentProgramsOptions;
  readonly #hostVersion: HostVersion;
  readonly #receiver: UpdateReceiver;
  #state: UpdatesState;
  #linked = false;

  private constructor(options: AgentProgramsOptions, state: UpdatesState) {
    const { folder, version, ptyHostProgram, log } = options;
    this.#options = options;
    this.#state = state;
    this.#hostVersion = new HostVersion({ ptyHost: options.ptyHost, version, program: ptyHostProgram, log });
    this.#receiver = new UpdateReceiver({
      log,
      install: (archive, params) => this.#install(folder, archive, params),
      onInstalled: options.restart,
    });
  }

  /** Takes note of which version was started. */
  static async load(options: AgentProgramsOptions): Promise<AgentPrograms> {
    const state = await settleUpdates(options.folder, options.version);
    if (state.failed !== undefined) options.log.warn("an update was given up", { version: state.failed });
    return new AgentPrograms(options, state);
  }

  /** The version of the last update, if it was given up. */
  get failedUpdate(): string | undefined {
    return this.#state.failed;
  }

  /** Serves a channel of `programsChannelKind`. */
  open(channel: Channel, params: unknown): void {
    this.#receiver.open(channel, params);
  }

  /** The link with the controller stands, or is gone. Only a version that has a link touches the PTY host. */
  onLink(linked: boolean): void {
    this.#linked = linked;
    this.onPtyHost();
  }

  /** There is a connection to the PTY host. */
  onPtyHost(): void {
    if (this.#linked) void this.#hostVersion.align();
  }

  /** Tries this version out, if it has not proved itself yet. */
  async run(signal: AbortSignal): Promise<void> {
    const { folder, version, clock, log, ptyHost, restart, isControllerThere } = this.#options;
    if (this.#state.trying !== version) return;
    const proved = await tryOut(
      {
        isInOrder: async () => this.#linked && (!ptyHost.wanted || (await this.#hostVersion.align())),
        isControllerAway: async () => !this.#linked && !(await isControllerThere()),
        isExhausted: () => isExhausted(folder, version, "pty-host"),
        clock,
      },
      signal,
    );
    if (proved === undefined) return;
    if (proved) {
      log.info("the update has proved itself", { version });
      await writeState(folder, { proven: version });
      this.#state = await settleUpdates(folder, version);
      return;
    }
    log.error("the update does not come in order and is given up", { version });
    const { proven } = this.#state;
    await writeState(folder, { ...(proven === undefined ? {} : { proven }), failed: version });
    restart();
  }

  #install(folder: string, archive: Uint8Array, params: ProgramsParams): Promise<void> {
    if (params.version === this.#options.version) throw new CallFailure("conflict", "this version runs already");
    if (this.#state.trying === this.#options.version) throw new CallFailure("conflict", "an update is being tried out");
    return installUpdate(folder, archive, params);
  }
}
