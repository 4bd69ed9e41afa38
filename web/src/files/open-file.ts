import { BerthError, type Failure } from "@berth/protocol";
import { describeError } from "../api/describe-error.ts";
import { Store } from "../api/store.ts";
import type { Content, Expected, FileContents } from "./content.ts";
import { fromField, lineEndsOf, toField } from "./line-ends.ts";
import type { WorkspacePlace } from "./place.ts";

/** What the sandbox has instead of what was read here; null: the file is gone. */
export interface Theirs {
  readonly content: Content | null;
}

/** A file that is shown or edited. */
export interface OpenFileState {
  /** As it was read last; undefined until then. */
  readonly content: Content | undefined;
  readonly loading: boolean;
  /** There is nothing at the place any more. */
  readonly gone: boolean;
  /** What was typed, with lines that end in "\n"; undefined: it is not edited. */
  readonly draft: string | undefined;
  readonly saving: boolean;
  /** Why it could not be read or saved. */
  readonly failure: Failure | null;
  /** While it was edited it has changed in the sandbox: what is saved would overwrite that. */
  readonly outdated: boolean;
  /** A save was refused for that, and somebody has to decide. */
  readonly conflict: Theirs | undefined;
}

const unread: OpenFileState = {
  content: undefined,
  loading: true,
  gone: false,
  draft: undefined,
  saving: false,
  failure: null,
  outdated: false,
  conflict: undefined,
};

/** One file of a workspace, from its opening until it is closed. What was typed is lost by no change from outside. */
export class OpenFile {
  readonly state = new Store(unread);
  readonly place: WorkspacePlace;
  readonly #contents: FileContents;
  readonly #closed = new AbortController();
  #reading: object | undefined;
  /** It may have changed while it was read. */
  #again = false;

  constructor(place: WorkspacePlace, contents: FileContents) {
    this.place = place;
    this.#contents = contents;
  }

  /** Reads it, again if something may have changed. What is edited meanwhile stays as it is. */
  async load(): Promise<void> {
    if (this.#reading) {
      this.#again = true;
      return;
    }
    const turn = {};
    this.#reading = turn;
    this.#set({ loading: true });
    try {
      const content = await this.#contents.read(this.place, this.#closed.signal);
      if (this.#reading === turn) this.#took(content);
    } catch (error) {
      if (this.#closed.signal.aborted) return;
      if (this.#reading === turn) this.#failed(describeError(error));
    }
    if (this.#reading === turn) this.#reading = undefined;
    if (!this.#again) return;
    this.#again = false;
    await this.load();
  }

  /** Begins to edit a text. */
  edit(): void {
    const { content, draft } = this.state.get();
    if (content?.kind === "text" && draft === undefined) this.#set({ draft: toField(content.text), failure: null });
  }

  type(draft: string): void {
    if (this.state.get().draft !== undefined) this.#set({ draft });
  }

  /** Whether something was typed that is nowhere else. */
  get isEdited(): boolean {
    const { content, draft } = this.state.get();
    return draft !== undefined && !(content?.kind === "text" && toField(content.text) === draft);
  }

  /** Leaves what was typed. */
  discard(): void {
    const { outdated, gone } = this.state.get();
    this.#set({ draft: undefined, failure: null, outdated: false, conflict: undefined });
    if (outdated && !gone) void this.load();
  }

  /** Writes what was typed over the version that was read, and no other. */
  async save(): Promise<void> {
    const { content, gone } = this.state.get();
    if (content?.kind === "text") await this.#write(gone ? "absent" : { version: content.version });
  }

  /** Keeps what was typed here: it takes the place of what was shown of the sandbox's, and of nothing newer. */
  async overwrite(): Promise<void> {
    const theirs = this.state.get().conflict?.content;
    this.#set({ conflict: undefined });
    if (theirs === null) await this.#write("absent");
    else if (theirs?.kind === "text") await this.#write({ version: theirs.version });
    // It has become something else: a folder or a link is refused, and other bytes are replaced.
    else await this.#write(undefined);
  }

  /** Leaves what was typed here for what the sandbox has. */
  takeTheirs(): void {
    const theirs = this.state.get().conflict?.content;
    this.#set({ draft: undefined, outdated: false, conflict: undefined, failure: null });
    if (theirs) this.#set({ content: theirs, gone: false });
    else this.#vanished();
  }

  /** Goes on editing; what is saved next is asked for again. */
  keepEditing(): void {
    this.#set({ conflict: undefined });
  }

  /** Stops what is under way. */
  close(): void {
    this.#closed.abort();
  }

  async #write(expected: Expected): Promise<void> {
    const { draft, content, saving } = this.state.get();
    if (draft === undefined || content?.kind !== "text" || saving) return;
    this.#set({ saving: true, failure: null });
    const text = fromField(draft, lineEndsOf(content.text));
    const body = new Blob([text]);
    try {
      const { version } = await this.#contents.write({
        place: this.place,
        body,
        expected,
        signal: this.#closed.signal,
      });
      // What was read before the write says nothing any more.
      this.#reading = undefined;
      this.#set({ content: { kind: "text", text, version, bytes: body.size }, draft: undefined });
      this.#set({ gone: false, outdated: false, loading: false });
    } catch (error) {
      if (!this.#closed.signal.aborted) await this.#refused(error);
    } finally {
      this.#set({ saving: false });
    }
  }

  async #refused(error: unknown): Promise<void> {
    const isConflict = error instanceof BerthError && (error.code === "conflict" || error.code === "not_found");
    const theirs = isConflict ? await this.#theirs() : undefined;
    if (theirs && !this.#isKnown(theirs)) this.#set({ conflict: theirs, outdated: true });
    else this.#set({ failure: describeError(error) });
  }

  /** What the sandbox has now; undefined if it cannot be told. */
  async #theirs(): Promise<Theirs | undefined> {
    try {
      return { content: await this.#contents.read(this.place, this.#closed.signal) };
    } catch (error) {
      return describeError(error).code === "not_found" ? { content: null } : undefined;
    }
  }

  /** It is still what was read here: then it was refused for another reason. */
  #isKnown({ content }: Theirs): boolean {
    return content !== null && isSame(this.state.get().content, content);
  }

  #took(content: Content): void {
    const { draft, content: before } = this.state.get();
    if (draft === undefined) this.#set({ content, gone: false, outdated: false });
    else this.#set({ gone: false, outdated: !isSame(before, content) });
    this.#set({ loading: false, failure: null });
  }

  #failed(failure: Failure): void {
    if (failure.code === "not_found") this.#vanished();
    else this.#set({ loading: false, failure });
  }

  #vanished(): void {
    const edited = this.state.get().draft !== undefined;
    this.#set({ loading: false, failure: null, gone: true, outdated: edited });
  }

  #set(change: Partial<OpenFileState>): void {
    this.state.update((state) => ({ ...state, ...change }));
  }
}

function isSame(one: Content | undefined, other: Content): boolean {
  return one?.kind === "text" && other.kind === "text" && one.version === other.version;
}
