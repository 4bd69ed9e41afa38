import type { SandboxSize, SandboxSizeName } from "@berth/protocol";

/** What new sandboxes get where nobody says otherwise, one of the sizes that have a name, or one's own numbers. */
export type SizeChoice = "fleet" | SandboxSizeName | "own";

/** `2 cores · 2 GiB · 8 GiB disk` */
export function sizeText({ cores, memoryMiB, diskGiB }: SandboxSize): string {
  return `${cores} ${cores === 1 ? "core" : "cores"} · ${memoryText(memoryMiB)} · ${diskGiB} GiB disk`;
}

function memoryText(memoryMiB: number): string {
  return memoryMiB % 512 === 0 ? `${memoryMiB / 1024} GiB` : `${memoryMiB} MiB`;
}
