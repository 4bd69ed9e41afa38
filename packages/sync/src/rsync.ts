import { chmod, stat } from "node:fs/promises";
import { runChild } from "./child.ts";
import { failureOf, SyncFailure } from "./failure.ts";
import { ListingReader, listingFormat } from "./listing.ts";
import { parseProgress, type TransferProgress } from "./progress.ts";
import type { RemoteFolder } from "./remote-side.ts";
import { partialFolder } from "./side.ts";

export type SyncDirection = "push" | "pull";

/** Between which two folders rsync works, and what it leaves out. */
export interface RsyncPlaces {
  readonly direction: SyncDirection;
  /** Absolute. */
  readonly hostFolder: string;
  readonly sandbox: RemoteFolder;
  /** A file of rules, NUL behind each. */
  readonly filterFile: string;
  /** Who owns what is written on the host, where that is not who runs this. */
  readonly owner?: { readonly uid: number; readonly gid: number };
}

/** One run of rsync's. */
export interface RsyncRun {
  /** Options beyond those that every run has. */
  readonly options: readonly string[];
  readonly signal: AbortSignal;
  /** What a sandbox may send, whatever it has announced; beyond it the run ends with `too_much`. */
  readonly bounds?: { readonly files: number; readonly bytes: number };
  onItems?(reader: ListingReader): void;
  onProgress?(progress: TransferProgress): void;
}

/** How a run ended: what it listed, and whether all of it was done. */
export interface RsyncEnd {
  readonly reader: ListingReader;
  /** 0, or 23 or 24 where some of it could not be transferred. */
  readonly code: number;
  readonly complaints: string;
}

/**
 * What is taken over, and how it is compared: contents by size and time to the nanosecond; permissions without set-id;
 * links as links, and on the host none that leads out of the folder; no devices; no owners.
 */
function commonOptions({ direction, owner, filterFile }: RsyncPlaces): string[] {
  const toHost = direction === "pull";
  return [
    "--recursive",
    "--links",
    "--perms",
    "--times",
    "--omit-dir-times",
    "--omit-link-times",
    "--modify-window=-1",
    // What everybody may write in a sandbox is nobody's business on the host.
    toHost ? "--chmod=ug-s,o-t,o-w" : "--chmod=ug-s,o-t",
    // Arguments travel within the protocol, so that no shell on the other side reads them.
    "--secluded-args",
    "--from0",
    `--filter=merge ${filterFile}`,
    `--out-format=${listingFormat}`,
    // What is no safe link is named only so; other names are, as the listing's format has it.
    ...(toHost ? ["--safe-links", "--info=name1"] : []),
    ...(toHost && owner ? ["--owner", "--group", `--chown=${owner.uid}:${owner.gid}`] : []),
  ];
}

/**
 * What a run has that writes: whole files get their names in one step, and what is cut is kept for the next time. There
 * is no `--temp-dir`: with one, rsync opens every folder on the way to each file anew, which is twice as many calls.
 */
export const writingOptions: readonly string[] = ["--sparse", `--partial-dir=${partialFolder}`, "--info=progress2"];

/** Runs rsync. Rejects with a `SyncFailure`, but where only some of it could not be transferred. */
export async function runRsync(places: RsyncPlaces, run: RsyncRun): Promise<RsyncEnd> {
  const { hostFolder, sandbox, direction } = places;
  let files = 0;
  const reader = new ListingReader((line) => {
    const progress = parseProgress(line, files);
    if (!progress) return;
    files = progress.files;
    if (run.bounds && progress.bytes > run.bounds.bytes) throw tooMuch();
    run.onProgress?.(progress);
  });
  const host = `${hostFolder}/`;
  const remote = `${sandbox.host}:${sandbox.path}/`;
  const transfer = () =>
    runChild({
      argv: [
        "rsync",
        `--rsh=${shellWords(sandbox.ssh)}`,
        ...commonOptions(places),
        ...run.options,
        "--",
        ...(direction === "push" ? [host, remote] : [remote, host]),
      ],
      onOutput: (chunk) => {
        reader.push(chunk);
        if (run.bounds && reader.differing.length > run.bounds.files) throw tooMuch();
        run.onItems?.(reader);
      },
      signal: run.signal,
    });
  const { code, complaints } = await (direction === "pull" ? keepingMode(hostFolder, transfer) : transfer());
  if (code === 0) return { reader, code, complaints };
  const failure = failureOf("rsync", code, complaints);
  if (failure.code !== "partial") throw failure;
  return { reader, code: code ?? 23, complaints };
}

function tooMuch(): SyncFailure {
  return new SyncFailure("too_much", "The sandbox sends more than a pull may bring.", {
    hint: "Name what is to be left out in a .berthignore, or with excludes.",
  });
}

/** rsync splits the remote shell's words by itself, at spaces, and knows quotes but no escapes. */
export function shellWords(words: readonly string[]): string {
  return words.map((word) => (/[\s"]/.test(word) ? `'${word}'` : word)).join(" ");
}

/** rsync gives the topmost folder the other one's permissions; those on the host are not a sandbox's to change. */
async function keepingMode<T>(folder: string, work: () => Promise<T>): Promise<T> {
  const { mode } = await stat(folder);
  try {
    return await work();
  } finally {
    if ((await stat(folder)).mode !== mode) await chmod(folder, mode & 0o7777);
  }
}
