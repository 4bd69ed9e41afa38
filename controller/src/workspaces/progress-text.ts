import type { TransferProgress } from "@berth/sync";

/** How far a transfer has come, for people: `12.3 MB, 40 files, 5.1 MB/s, 12 s left`. */
export function progressText({ bytes, files, bytesPerSecond, secondsLeft }: TransferProgress): string {
  const parts = [sizeText(bytes), `${files} files`, `${sizeText(bytesPerSecond)}/s`];
  if (secondsLeft !== null) parts.push(`${durationText(secondsLeft)} left`);
  return parts.join(", ");
}

function sizeText(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

function durationText(seconds: number): string {
  if (seconds < 60) return `${seconds} s`;
  return seconds < 3600 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}
