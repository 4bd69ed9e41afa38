import { prepareDestination } from "./destination.ts";
import type { ListedItem, ListingReader } from "./listing.ts";
import type { Memory } from "./memory.ts";
import type { Run } from "./order.ts";
import { isInside, type RawPath } from "./raw-path.ts";
import { type ReportedChange, reportOf, type SyncReport, skippedOf } from "./report.ts";
import { backupId } from "./retention.ts";
import { runRsync, writingOptions } from "./rsync.ts";

/** How often what was sent is written down while a first run lasts, in milliseconds. */
const saveEveryMs = 10_000;
/** The file system's clock may be behind by this much, in milliseconds. */
const clockTickMs = 20;

/**
 * The first sync of two folders: whatever the destination does not have goes there, and what it has is left alone. So it
 * needs no look at either side before, and takes as long as rsync does. `whole`: the destination had nothing of it, and
 * all is done.
 */
export async function firstRun(run: Run, memory: Memory): Promise<{ whole: boolean; report: SyncReport }> {
  run.onPhase?.("transfer");
  await prepareDestination(run, backupId(run.now()));
  memory.unfinished.add(run.direction);
  const follower = new Follower(run, memory);
  try {
    const { reader, code, complaints } = await runRsync(run.places, {
      options: ["--ignore-existing", "-ii", "--info=skip1", ...writingOptions, ...limitOf(run), ...sizeLimit(run)],
      signal: run.signal,
      ...boundsOf(run),
      onItems: (items) => follower.follow(items),
      ...(run.onProgress ? { onProgress: run.onProgress } : {}),
    });
    if (code !== 0) run.onNote?.(complaints.trim().slice(-2000));
    const whole = code === 0 && !reader.existed;
    await follower.finish(reader, whole);
    // Where more has to be looked at, that look names it.
    const skipped = whole ? skippedOf(reader) : [];
    return { whole, report: reportOf([...follower.changes, ...skipped], follower.bytes, null) };
  } catch (error) {
    await follower.interrupted();
    throw error;
  }
}

/** Options for what a run may cost. */
export function limitOf({ bwlimitKiB }: Run): string[] {
  return bwlimitKiB === undefined ? [] : [`--bwlimit=${bwlimitKiB}`];
}

/** Only what comes from a sandbox has to be bounded. */
export function boundsOf({ direction, limits }: Run): { bounds?: Run["limits"] } {
  return direction === "pull" ? { bounds: limits } : {};
}

/** No single file of a pull can be larger than all of it may be. */
function sizeLimit({ direction, limits }: Run): string[] {
  return direction === "pull" ? [`--max-size=${limits.bytes}`] : [];
}

/** Remembers what is sent, as rsync says that it sends it. */
class Follower {
  readonly changes: ReportedChange[] = [];
  bytes = 0;
  readonly #run: Run;
  readonly #memory: Memory;
  readonly #startedNs: bigint;
  readonly #doubtful: RawPath[] = [];
  #seen = 0;
  #saved = performance.now();
  #saving: Promise<void> = Promise.resolve();

  constructor(run: Run, memory: Memory) {
    this.#run = run;
    this.#memory = memory;
    this.#startedNs = BigInt(Date.now() - clockTickMs) * 1_000_000n;
  }

  /** Where the host is the source, looks at each file as it goes. */
  follow(reader: ListingReader): void {
    if (this.#run.direction === "push") this.#look(reader.differing);
    if (performance.now() - this.#saved < saveEveryMs) return;
    this.#saved = performance.now();
    this.#saving = this.#saving.then(() => this.#memory.save()).catch(() => {});
  }

  /** All that was listed is there now. */
  async finish(reader: ListingReader, whole: boolean): Promise<void> {
    await this.#saving;
    this.#look(reader.differing);
    if (whole) {
      this.#agreeOnSure();
      const states = await this.#run.destination.stat(this.#doubtful);
      // Changed while it was sent: what arrived is what both have agreed on.
      for (const [path, agreed] of states) this.#memory.set(path, { agreed });
      const { direction } = this.#run;
      if (this.#doubtful.length === 0) this.#memory.settled = { ...reader.digest, direction };
    }
    this.#memory.unfinished.delete(this.#run.direction);
    await this.#memory.save();
  }

  async interrupted(): Promise<void> {
    await this.#saving;
    await this.#memory.save().catch(() => {});
  }

  #look(items: readonly ListedItem[]): void {
    for (; this.#seen < items.length; this.#seen += 1) {
      const item = items[this.#seen];
      if (!item || !isInside(item.path)) continue;
      this.#note(item);
    }
  }

  #note({ path, bytes, itemized }: ListedItem): void {
    const found = this.#run.host.peek(path);
    if (!found) return;
    const { state, ctimeNs } = found;
    // On the host as destination, somebody has changed it already.
    if (state.type === "file" && this.#run.direction === "pull" && state.bytes !== bytes) return;
    if (state.type === "file") this.bytes += bytes;
    const isNew = itemized.includes("+");
    if (isNew) this.changes.push({ path, action: "create", source: state, destination: undefined });
    if (this.#run.direction === "push" && ctimeNs >= this.#startedNs) this.#doubtful.push(path);
    this.#memory.set(path, { maybe: { state, direction: this.#run.direction } });
  }

  #agreeOnSure(): void {
    const doubtful = new Set(this.#doubtful);
    for (const [path, { maybe }] of this.#memory.entries()) {
      if (maybe && !doubtful.has(path)) this.#memory.set(path, { agreed: maybe.state });
    }
  }
}
