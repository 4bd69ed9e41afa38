import { defaultSize } from "@berth/protocol";

export interface SandboxSize {
  readonly cores: number;
  readonly memoryMiB: number;
  readonly diskGiB: number;
}

/** The sizes on offer. The disk of a clone can not be smaller than its template's. */
export const sizePresets = {
  small: { cores: 1, memoryMiB: 1024, diskGiB: defaultSize.diskGiB },
  medium: defaultSize,
  large: { cores: 4, memoryMiB: 8192, diskGiB: 32 },
} as const satisfies Record<string, SandboxSize>;
export type SizeChoice = keyof typeof sizePresets | "own";

/** `2 cores · 2 GiB · 8 GiB disk` */
export function sizeText({ cores, memoryMiB, diskGiB }: SandboxSize): string {
  return `${cores} ${cores === 1 ? "core" : "cores"} · ${memoryText(memoryMiB)} · ${diskGiB} GiB disk`;
}

function memoryText(memoryMiB: number): string {
  return memoryMiB % 512 === 0 ? `${memoryMiB / 1024} GiB` : `${memoryMiB} MiB`;
}
