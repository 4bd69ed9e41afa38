/** How far a transfer has come. */
export interface TransferProgress {
  /** Of contents, done so far. */
  readonly bytes: number;
  /** Of what there is to do, as far as rsync knows it; null at the very start. */
  readonly percent: number | null;
  readonly bytesPerSecond: number;
  /** Null where rsync cannot tell. */
  readonly secondsLeft: number | null;
  /** Files that were transferred. */
  readonly files: number;
}

const pattern =
  /^\s*([\d,]+)\s+(\d+)%\s+([\d.]+)([kMGT]?)B\/s\s+(?:(\d+):(\d\d):(\d\d)|\?\?:\?\?:\?\?)(?:\s+\(xfr#(\d+))?/;
const factors: Readonly<Record<string, number>> = { "": 1, k: 1024, M: 1024 ** 2, G: 1024 ** 3, T: 1024 ** 4 };

/**
 * Reads a line of `--info=progress2`, in the C locale; undefined for any other line. Of the files only those lines tell
 * that come at the end of one: in between it is still `filesBefore`.
 */
export function parseProgress(line: string, filesBefore = 0): TransferProgress | undefined {
  const match = pattern.exec(line);
  if (!match) return undefined;
  const [, bytes = "0", percent = "0", rate = "0", unit = "", hours, minutes, seconds, files] = match;
  const told = {
    bytes: Number(bytes.replaceAll(",", "")),
    percent: Number(percent),
    bytesPerSecond: Math.round(Number(rate) * (factors[unit] ?? 1)),
  };
  const time = hours === undefined ? null : Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds);
  // At the end of a file the time is what it took so far, and not what is left.
  if (files !== undefined) return { ...told, secondsLeft: secondsLeft(told), files: Number(files) };
  return { ...told, secondsLeft: told.bytesPerSecond === 0 ? null : time, files: filesBefore };
}

/** By how fast it went until now; null before anything has gone. */
function secondsLeft(told: { bytes: number; percent: number; bytesPerSecond: number }): number | null {
  const { bytes, percent, bytesPerSecond } = told;
  if (percent >= 100) return 0;
  if (percent <= 0 || bytesPerSecond === 0) return null;
  return Math.round((bytes * (100 - percent)) / percent / bytesPerSecond);
}
