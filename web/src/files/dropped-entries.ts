import { placeIn, type WorkspacePlace } from "./place.ts";
import type { UploadedFile } from "./upload-queue.ts";

/** Files at most that one drop of folders brings; an archive takes any number. */
const maxFiles = 2000;

/**
 * The files of a drop, those in folders too, with the places that they are to have in a folder. Has to be called while
 * the drop's event is handled: later a browser does not tell of its items any more.
 */
export async function droppedInto(folder: WorkspacePlace, transfer: DataTransfer): Promise<readonly UploadedFile[]> {
  const entries = [...transfer.items].filter(({ kind }) => kind === "file").map((item) => item.webkitGetAsEntry());
  const plain = [...transfer.files];
  // Without a file system behind them, as where a program drops them, there are only the files.
  if (entries.every((entry) => entry === null)) return pickedInto(folder, plain);
  const found: UploadedFile[] = [];
  for (const entry of entries) if (entry) await collect(entry, folder, false, found);
  return found;
}

/** Picked files with their places in a folder. */
export function pickedInto(folder: WorkspacePlace, files: readonly File[]): readonly UploadedFile[] {
  return files.map((file) => ({ file, place: placeIn(folder, file.name), inFolder: false }));
}

async function collect(
  entry: FileSystemEntry,
  folder: WorkspacePlace,
  inFolder: boolean,
  found: UploadedFile[],
): Promise<void> {
  if (found.length >= maxFiles) throw new Error(`More than ${maxFiles} files: upload an archive, and unpack it there.`);
  const place = placeIn(folder, entry.name);
  if (isFile(entry)) {
    const file = await new Promise<File>((resolve, reject) => entry.file(resolve, reject));
    found.push({ file, place, inFolder });
  } else if (isDirectory(entry)) {
    for (const inner of await entriesOf(entry)) await collect(inner, place, true, found);
  }
}

/** A browser tells of a folder's entries in parts, and of none at the end. */
async function entriesOf(directory: FileSystemDirectoryEntry): Promise<readonly FileSystemEntry[]> {
  const reader = directory.createReader();
  const all: FileSystemEntry[] = [];
  for (;;) {
    const part = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (part.length === 0) return all;
    all.push(...part);
  }
}

const isFile = (entry: FileSystemEntry): entry is FileSystemFileEntry => entry.isFile;
const isDirectory = (entry: FileSystemEntry): entry is FileSystemDirectoryEntry => entry.isDirectory;
