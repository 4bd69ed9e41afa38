import {
  type AttachParams,
  BerthError,
  type Environment,
  type OutputPosition,
  type Screen,
  type TerminalExit,
  type TerminalStatus,
} from "@berth/protocol";
import type { Channel } from "@berth/protocol/link";
import { errorText, type Log } from "../log.ts";
import type { AwakeScreens } from "./awake-screens.ts";
import { emptyContent, epochBreak, loadContent, nextContent, type TerminalContent } from "./content.ts";
import type { HandedTerminal } from "./handover.ts";
import { keyBytes } from "./keys.ts";
import { Outflow } from "./outflow.ts";
import { type Typing, typedText } from "./paste.ts";
import { Persistence } from "./persistence.ts";
import type { AdoptPty, Pty, PtyEvents, SpawnPty } from "./pty.ts";
import type { RecordingShelf } from "./recording/shelf.ts";
import { exitStatus, type RecordingSource } from "./recording/source.ts";
import { OutputTimes } from "./recording/times.ts";
import { screenOf } from "./screen-wait.ts";
import { ScreenWaits } from "./screen-waits.ts";
import { killSession, markSession } from "./session.ts";
import type { Size } from "./size.ts";
import type { TerminalMeta, TerminalStore } from "./store.ts";
import { TerminalInput } from "./terminal-input.ts";
import type { Typists } from "./typists.ts";
import { Viewers } from "./viewers.ts";

/** A program to run in a terminal. */
export interface Program extends Size {
  argv: readonly string[];
  cwd: string;
  env: Environment;
}

export interface TerminalOptions {
  store: TerminalStore;
  shelf: RecordingShelf;
  spawn: SpawnPty;
  adopt: AdoptPty | undefined;
  log: Log;
  /** The container's present boot. */
  bootId: string;
  /** Of all terminals of this host. */
  typists: Typists;
  /** Of all terminals of this host. */
  awake: AwakeScreens;
  /** State, size or title changed. */
  onChange(status: TerminalStatus): void;
}

/**
 * One terminal over all its epochs: its program's PTY, its output, screen, viewers and input, and what is on disk of it.
 * Made by `create` or found on disk by `find`.
 */
export class Terminal {
  readonly id: string;
  /** Calls that wait for its screen. */
  readonly waits: ScreenWaits;
  readonly #options: TerminalOptions;
  readonly #persistence: Persistence;
  readonly #viewers: Viewers;
  readonly #input: TerminalInput;
  readonly #outflow: Outflow;
  #meta: TerminalMeta;
  /** How the program has ended, until that is told: what was told must be on disk. */
  #ending: Pick<TerminalMeta, "exit" | "lost"> | undefined;
  /** Resolves when the last program's end is told. */
  #endTold: Promise<void> = Promise.resolve();
  #content: TerminalContent | undefined;
  #loading: Promise<TerminalContent> | undefined;
  #pty: Pty | undefined;
  /** Of this epoch, while it is recorded. */
  #times: OutputTimes | undefined;
  #toldStatus = "";
  #removed = false;
  #hostStops = false;
  /** Nothing is read any more: another program is about to take over. */
  #suspended = false;

  private constructor(options: TerminalOptions, meta: TerminalMeta, content: TerminalContent | undefined) {
    this.id = meta.id;
    this.#options = options;
    this.#meta = meta;
    this.#content = content;
    const { store, shelf, log } = options;
    const source = {
      meta: () => ({ ...this.#meta, ...this.#ending }),
      content: () => this.#content,
      times: () => this.#times,
    };
    this.#persistence = new Persistence({ store, shelf, log, source, afterFlush: () => this.#refreshTitle() });
    shelf.add(store.segments);
    this.#input = new TerminalInput((bytes) => this.#write(bytes));
    this.#viewers = new Viewers({
      content: () => this.#loaded(),
      meta: () => this.#meta,
      pty: () => (this.#suspended ? undefined : this.#pty),
      input: this.#input,
      resize: (size) => this.#applySize(size),
      typists: options.typists,
    });
    this.#outflow = new Outflow(() => this.#viewers.pump());
    this.waits = new ScreenWaits({ content: () => this.#loaded(), meta: () => this.#meta });
  }

  /** A terminal that is not there yet, with its first program. Throws if its folder cannot be written. */
  static async create(id: string, epoch: number, program: Program, options: TerminalOptions): Promise<Terminal> {
    const { cols, rows } = program;
    const meta: TerminalMeta = { version: 1, id, epoch, exit: null, lost: false, cols, rows, title: "" };
    await options.store.open();
    const terminal = new Terminal(options, meta, emptyContent({ cols, rows }, options.awake));
    try {
      await terminal.#persistence.beginEpoch(meta, undefined, () => {});
      terminal.#run(program);
    } catch (error) {
      options.shelf.remove(options.store.segments);
      throw error;
    }
    return terminal;
  }

  /**
   * The terminal that another host left, or undefined if there is nothing of it. Its program has ended with that host,
   * unless it was handed over.
   */
  static async find(options: TerminalOptions, handed?: HandedTerminal): Promise<Terminal | undefined> {
    await options.store.open();
    const meta = await options.store.readMeta();
    if (!meta) return undefined;
    const running = meta.exit === null;
    if (running && options.adopt && handed?.epoch === meta.epoch) {
      const terminal = new Terminal(options, meta, await loadContent(options.store, meta, options.awake));
      terminal.#goOn(handed, options.adopt);
      return terminal;
    }
    // A program that ignored the loss of its terminal must not go on beside the one that takes its place.
    if (running && meta.session) await killSession(meta.session, options.bootId);
    const found = running ? { ...meta, exit: { code: null, signal: null }, lost: true } : meta;
    const terminal = new Terminal(options, found, undefined);
    // On a full disk it is known all the same; that it is lost is written once there is room.
    if (running) await options.store.writeMeta(found).catch(() => terminal.#persistence.dirty());
    return terminal;
  }

  get epoch(): number {
    return this.#meta.epoch;
  }

  get status(): TerminalStatus {
    const { id, epoch, exit, lost, cols, rows, title } = this.#meta;
    const offset = this.#content?.ring.endOffset ?? this.#options.store.endOffset(epoch);
    return { id, epoch, exit, lost, cols, rows, title, offset, state: exit ? "exited" : "running" };
  }

  /** Starts the next epoch; its output goes on below the last screen. Throws `conflict` while a program runs. */
  async restart(epoch: number, program: Program): Promise<void> {
    await this.#endTold;
    if (!this.#meta.exit) throw new BerthError("conflict", "the terminal's program still runs");
    const former = await this.#loaded();
    await this.#persistence.flushOutput();
    const letGo = former.feed.hold();
    const model = await former.feed.caughtUp();
    const { cols, rows } = program;
    const meta = { ...this.#meta, epoch, exit: null, lost: false, cols, rows };
    // Nobody sees an epoch that is not on disk: after a failure, or a kill meanwhile, it can begin once more.
    await this.#persistence
      .beginEpoch(meta, former, () => {
        const restarted = { code: "restarted", detail: "the terminal was started anew" };
        this.#viewers.closeAll(restarted);
        this.waits.closeAll(restarted);
        this.#meta = meta;
        this.#times = undefined;
        this.#content = nextContent(former);
        this.#content.feed.resize(cols, rows);
      })
      .finally(letGo);
    this.#run(program, epochBreak(model.lastTextRow));
  }

  /** Takes a viewer in. */
  async attach(channel: Channel, params: AttachParams): Promise<void> {
    await this.#viewers.attach(channel, params);
  }

  /** Types for a caller; resolves when the program's terminal has it, to where the output had come to before. */
  async type(typing: Typing): Promise<OutputPosition> {
    if (!this.#pty) throw new BerthError("conflict", "the terminal's program has ended");
    const { ring, feed } = await this.#loaded();
    const model = await feed.caughtUp();
    const position = { epoch: this.#meta.epoch, offset: ring.endOffset };
    const keys = [...(typing.keys ?? []), ...(typing.submit ? ["Enter"] : [])];
    const pressed = keys.map((key) => keyBytes(key, model.applicationCursor)).join("");
    await this.#input.type(Buffer.concat([typedText(typing, model.bracketedPaste), Buffer.from(pressed)]));
    return position;
  }

  resize(size: Size): TerminalStatus {
    this.#applySize(size);
    return this.status;
  }

  async screen(): Promise<Screen> {
    const content = await this.#loaded();
    return screenOf(await content.feed.caughtUp(), content, this.#meta);
  }

  /** What was recorded up to now, in one epoch or all that are kept. Undefined while the terminal is not recorded. */
  async recording(epoch?: number): Promise<RecordingSource | undefined> {
    if (!this.#options.shelf.on) return undefined;
    await this.#persistence.flushOutput();
    const { segments } = this.#options.store;
    const parts = segments.all.filter((segment) => epoch === undefined || segment.epoch === epoch);
    return { segments, parts: parts.map((part) => ({ ...part })), meta: { ...this.#meta } };
  }

  /** Recording was switched on or off: off deletes what there is. */
  async applyRecording(): Promise<void> {
    this.#times = undefined;
    if (this.#options.shelf.on) this.#beginTimes();
    else await this.#persistence.forgetRecording();
  }

  /** Ends the program because the host stops, and writes everything to disk: it did not end by itself, so it reads as lost. */
  async end(): Promise<void> {
    this.#hostStops = true;
    await this.#pty?.end();
    await this.#persistence.flush();
  }

  /** Reads nothing more, and brings everything to disk. Answers the program's side of the PTY. */
  async suspend(): Promise<string | undefined> {
    this.#suspended = true;
    this.#pty?.pause();
    await this.#persistence.flush();
    return this.#pty?.slave;
  }

  /** Nobody took over: goes on as before. */
  resume(): void {
    this.#suspended = false;
    this.#pty?.resume();
  }

  /** What another program needs to go on with this terminal, true in this turn alone; undefined if it has ended. */
  handOver(): HandedTerminal | undefined {
    const pty = this.#pty?.handOver();
    const ring = this.#content?.ring;
    if (!pty || !ring) return undefined;
    const { id, epoch } = this.#meta;
    const offset = Math.max(this.#options.store.endOffset(epoch), ring.startOffset);
    const base64 = ring.copy(offset, ring.endOffset).toString("base64");
    return { id, epoch, pty, tail: { offset, base64 }, input: this.#input.written };
  }

  /** Ends the program and forgets the terminal. */
  async remove(): Promise<void> {
    this.#removed = true;
    this.#options.shelf.remove(this.#options.store.segments);
    this.#viewers.closeAll({ code: "removed", detail: "the terminal was removed" });
    this.waits.closeAll({ code: "not_found", detail: "the terminal was removed" });
    await this.#pty?.end();
    await this.#persistence.remove();
    this.#content?.feed.dispose();
  }

  /** Starts the program of an epoch that is on disk: were this host killed now, it would read as lost. */
  #run(program: Program, preface?: Uint8Array): void {
    this.#times = undefined;
    this.#beginTimes();
    if (preface) this.#receive(preface);
    try {
      this.#pty = this.#options.spawn({ ...program, ...this.#events });
    } catch (error) {
      this.#programEnded({ code: null, signal: null });
      throw error;
    }
    this.#markSession(this.#pty.pid).catch((error: unknown) => {
      this.#options.log.warn("a program's session could not be marked", {
        terminalId: this.id,
        reason: errorText(error),
      });
    });
    this.#options.log.info("a terminal's program started", { terminalId: this.id, epoch: this.#meta.epoch });
    this.#tellChange();
  }

  /** Goes on with a program that runs. */
  #goOn({ pty, tail, input }: HandedTerminal, adopt: AdoptPty): void {
    this.#input.restore(input);
    const { ring } = this.#content ?? {};
    const known = (ring?.endOffset ?? 0) - tail.offset;
    this.#beginTimes();
    this.#receive(Buffer.from(tail.base64, "base64").subarray(Math.max(0, known)));
    this.#pty = adopt(pty, this.#events);
  }

  get #events(): PtyEvents {
    return { onData: (chunk) => this.#receive(chunk), onExit: (exit) => this.#programEnded(exit) };
  }

  #beginTimes(): void {
    if (!this.#options.shelf.on || this.#meta.exit || !this.#content) return;
    this.#times = new OutputTimes(this.#content.ring.endOffset, this.#meta);
  }

  async #markSession(leader: number): Promise<void> {
    const session = await markSession(leader, this.#options.bootId);
    if (!session) return;
    this.#meta = { ...this.#meta, session };
    this.#persistence.dirty();
  }

  /** Between two programs input waits for the next one; behind the last it goes nowhere. */
  #write(bytes: Uint8Array): number {
    if (this.#pty) return this.#pty.write(bytes);
    return this.#meta.exit || this.#ending ? bytes.byteLength : 0;
  }

  #receive(chunk: Uint8Array): void {
    const content = this.#content;
    if (!content) return;
    this.#times?.mark(content.ring.endOffset);
    content.ring.append(chunk);
    this.#outflow.grew(chunk.byteLength);
    content.feed.grew();
    this.#persistence.dirty();
  }

  /** Were this host killed once anybody knows of the end, the next one must know of it, too: it is on disk before. */
  #programEnded(exit: TerminalExit): void {
    this.#pty = undefined;
    const lost = this.#hostStops;
    this.#ending = { exit: lost ? { code: null, signal: null } : exit, lost };
    if (!lost) this.#times?.exited(this.#content?.ring.endOffset ?? 0, exitStatus(exit));
    this.#input.clear();
    this.#outflow.flush();
    this.#options.log.info("a terminal's program ended", { terminalId: this.id, code: exit.code, signal: exit.signal });
    if (this.#removed) this.#tellEnd();
    else this.#endTold = this.#persistence.flushEnd().then(() => this.#tellEnd());
  }

  /** It is still that of the present epoch: none follows before. */
  #tellEnd(): void {
    const { exit } = this.#ending ?? {};
    this.#meta = { ...this.#meta, ...this.#ending };
    this.#ending = undefined;
    if (exit) this.#viewers.exited(exit);
    this.waits.exited();
    this.#tellChange();
    if (!this.#removed) void this.#persistence.flush();
  }

  #applySize({ cols, rows }: Size): void {
    if (cols === this.#meta.cols && rows === this.#meta.rows) return;
    this.#meta = { ...this.#meta, cols, rows };
    this.#pty?.resize(cols, rows);
    this.#content?.feed.resize(cols, rows);
    this.#viewers.resized({ cols, rows }, this.#content?.ring.endOffset ?? 0);
    if (this.#pty) this.#times?.resized(this.#content?.ring.endOffset ?? 0, { cols, rows });
    this.#persistence.dirty();
    this.#tellChange();
  }

  /** A title may change many times a second: it is looked at after a flush. */
  #refreshTitle(): void {
    const title = this.#content?.feed.title;
    if (title === undefined || title === this.#meta.title) return;
    this.#meta = { ...this.#meta, title };
    this.#tellChange();
    this.#persistence.dirty();
  }

  #tellChange(): void {
    const status = this.status;
    const told = JSON.stringify({ ...status, offset: 0 });
    if (told === this.#toldStatus || this.#removed) return;
    this.#toldStatus = told;
    this.#options.onChange(status);
  }

  async #loaded(): Promise<TerminalContent> {
    if (this.#content) return this.#content;
    this.#loading ??= loadContent(this.#options.store, this.#meta, this.#options.awake);
    this.#content = await this.#loading;
    return this.#content;
  }
}
