/** A file that was dropped, pasted or picked. */
export interface OfferedFile {
  readonly file: File;
  readonly name: string;
  /** It is a folder, of which a browser makes a file that cannot be read. */
  readonly isFolder: boolean;
}

/** Whether something that is dragged over the page are files. */
export function carriesFiles(transfer: DataTransfer | null): boolean {
  return transfer?.types.includes("Files") ?? false;
}

/** The files that were dropped. */
export function droppedFiles(transfer: DataTransfer): OfferedFile[] {
  const offered: OfferedFile[] = [];
  for (const item of transfer.items) {
    const file = item.kind === "file" ? item.getAsFile() : null;
    if (file) offered.push({ file, name: file.name, isFolder: item.webkitGetAsEntry()?.isDirectory ?? false });
  }
  return offered;
}

/**
 * The files of a paste; none where it is text. Office programs paste a picture beside their text, and the text is meant;
 * file managers paste the names beside their files, and the files are.
 */
export function pastedFiles(clipboard: Pick<DataTransfer, "files" | "getData">, now: Date): OfferedFile[] {
  const files = [...clipboard.files];
  const text = clipboard.getData("text/plain").trim();
  const names = new Set(files.map(({ name }) => name));
  const isNames = text.split(/\r\n|\r|\n/).every((line) => names.has(line.trim().replace(/^.*[/\\]/, "")));
  if (text !== "" && !isNames) return [];
  return named(files, now);
}

/** Files as they are picked by a button: a phone's camera calls every picture the same. */
export function named(files: readonly File[], now: Date): OfferedFile[] {
  return files.map((file) => ({ file, name: nameOf(file, now), isFolder: false }));
}

/** A picture from a clipboard has no name of its own: browsers call each `image.png`. */
function nameOf(file: File, now: Date): string {
  if (file.name !== "" && !/^image\.\w+$/.test(file.name)) return file.name;
  const digits = (value: number) => String(value).padStart(2, "0");
  const date = [now.getFullYear(), now.getMonth() + 1, now.getDate()].map(digits).join("");
  const time = [now.getHours(), now.getMinutes(), now.getSeconds()].map(digits).join("");
  const extension = /^image\/(png|jpeg|gif|webp)$/.exec(file.type)?.[1] ?? file.name.split(".").at(-1);
  const kind = file.type.startsWith("image/") || file.name !== "" ? "image" : "file";
  return `${kind}-${date}-${time}${extension ? `.${extension === "jpeg" ? "jpg" : extension}` : ""}`;
}

/**
 * Pictures on the clipboard, where the page may read it. Browsers take them out of a paste "as plain text", which is
 * what Ctrl+Shift+V means to them.
 */
export async function clipboardPictures(now: Date): Promise<OfferedFile[]> {
  try {
    const files: File[] = [];
    for (const item of await navigator.clipboard.read()) {
      const type = item.types.find((candidate) => candidate.startsWith("image/"));
      if (type) files.push(new File([await item.getType(type)], "", { type }));
    }
    return named(files, now);
  } catch {
    // Over plain HTTP there is no such interface, and the user may refuse.
    return [];
  }
}
