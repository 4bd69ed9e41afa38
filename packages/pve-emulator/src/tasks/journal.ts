import { type FileHandle, open } from "node:fs/promises";
import { SerialQueue } from "@berth/base";
import { readTextIfExists, writeFileAtomic } from "@berth/base/node";
import Type, { type Static } from "typebox";
import { Value } from "typebox/value";

const entrySchema = Type.Union([
  Type.Object({ upid: Type.String(), start: Type.Literal(true) }),
  Type.Object({ upid: Type.String(), line: Type.String() }),
  Type.Object({ upid: Type.String(), end: Type.String(), endtime: Type.Number() }),
]);
/** A task started, logged a line, or ended with this exit status. */
export type JournalEntry = Static<typeof entrySchema>;

/** The tasks' log on disk: lines are only ever appended, so that a crash can spoil but the last one. */
export class TaskJournal implements AsyncDisposable {
  readonly #file: FileHandle;
  readonly #writes = new SerialQueue();

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  /** Opens the journal after replacing its contents, which is how it is kept short. */
  static async rewrite(path: string, entries: readonly JournalEntry[]): Promise<TaskJournal> {
    await writeFileAtomic(path, entries.map(toLine).join(""), 0o600);
    return TaskJournal.append(path);
  }

  static async append(path: string): Promise<TaskJournal> {
    return new TaskJournal(await open(path, "a", 0o600));
  }

  /** Reads the entries. `torn` tells that the last line was cut off by a crash: then the journal is to be rewritten. */
  static async read(path: string): Promise<{ entries: JournalEntry[]; torn: boolean }> {
    const lines = ((await readTextIfExists(path)) ?? "").split("\n");
    const torn = lines.pop() !== "";
    return { entries: lines.flatMap(parseLine), torn };
  }

  /** Appends entries; with `sync`, resolves when they would survive a crash of the machine. */
  write(entries: readonly JournalEntry[], sync: boolean): Promise<void> {
    return this.#writes.run(async () => {
      await this.#file.appendFile(entries.map(toLine).join(""));
      if (sync) await this.#file.datasync();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writes.run(() => this.#file.close());
  }
}

const toLine = (entry: JournalEntry) => `${JSON.stringify(entry)}\n`;

function parseLine(line: string): JournalEntry[] {
  try {
    const value: unknown = JSON.parse(line);
    return Value.Check(entrySchema, value) ? [value] : [];
  } catch {
    return [];
  }
}
