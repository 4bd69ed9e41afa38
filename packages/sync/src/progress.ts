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

/** Reads a line of `--info=progress2`, in the C locale; undefined for any other line. */
export function parseProgress(line: string): TransferProgress | undefined {
  const match = pattern.exec(line);
  if (!match) return undefined;
  const [, bytes = "0", percent = "0", rate = "0", unit = "", hours, minutes, seconds, files = "0"] = match;
  return {
    bytes: Number(bytes.replaceAll(",", "")),
    percent: Number(percent),
    bytesPerSecond: Math.round(Number(rate) * (factors[unit] ?? 1)),
    secondsLeft: hours === undefined ? null : Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds),
    files: Number(files),
  };
}
