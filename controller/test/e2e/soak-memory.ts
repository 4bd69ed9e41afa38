import { readFile } from "node:fs/promises";

/** Memory of processes over a run, each named by its part: processes come and go, and a part stays. */
export class MemoryLog {
  readonly #samples = new Map<string, number[]>();

  /** Notes what a process of a part holds now. One that has just gone has nothing to say. */
  async sample(part: string, pid: number): Promise<void> {
    const bytes = await residentBytes(pid).catch(() => undefined);
    if (bytes === undefined) return;
    const samples = this.#samples.get(part) ?? [];
    samples.push(bytes);
    this.#samples.set(part, samples);
  }

  get parts(): readonly string[] {
    return [...this.#samples.keys()];
  }

  /** Bytes by which the last quarter of a run is above the one before it, by their medians. */
  growthBytes(part: string): number {
    const samples = this.#samples.get(part) ?? [];
    const quarter = (of: number) =>
      samples.slice(Math.floor((of * samples.length) / 4), ((of + 1) * samples.length) / 4);
    return median(quarter(3)) - median(quarter(2));
  }

  /** One line a part, for people: what it held over the run, in MiB. */
  get report(): string {
    return this.parts.map((part) => `${part}: ${this.#samples.get(part)?.map(mebibytes).join(" ")} MiB`).join("\n");
  }
}

const mebibytes = (bytes: number) => Math.round(bytes / 1024 / 1024);

function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

/** Memory of a process (Linux). */
async function residentBytes(pid: number): Promise<number> {
  const [, kibibytes] = /^VmRSS:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, "utf8")) ?? [];
  if (kibibytes === undefined) throw new Error(`process ${pid} holds no memory`);
  return Number(kibibytes) * 1024;
}
