import { lstatSync, mkdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { backedUp, Pair } from "./support/pair.ts";

const paths = ["a", "b", "d/x", "d/y", "e/f/z"] as const;
type Path = (typeof paths)[number];
type Contents = Map<Path, string>;

interface Edit {
  side: "host" | "guest";
  path: Path;
  kind: "write" | "remove";
}
interface Sync {
  direction: "push" | "pull";
  deletes: boolean;
}

const edit = fc.record<Edit>({
  side: fc.constantFrom("host", "guest"),
  path: fc.constantFrom(...paths),
  kind: fc.constantFrom("write", "write", "remove"),
});
const round = fc.record({
  edits: fc.array(edit, { maxLength: 6 }),
  sync: fc.record<Sync>({ direction: fc.constantFrom("push", "pull"), deletes: fc.boolean() }),
});

describe("any edits on both sides, with any syncs between them", () => {
  it("end as the rules say, and no content is lost that nobody removed", { timeout: 180_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(round, { minLength: 1, maxLength: 5 }), async (rounds) => {
        const pair = await Pair.make();
        try {
          const world = new World(pair);
          for (const { edits, sync } of rounds) {
            for (const one of edits) world.edit(one);
            await world.sync(sync);
          }
        } finally {
          await pair.dispose();
        }
      }),
      { numRuns: Number(process.env.FUZZ_RUNS ?? 15) },
    );
  });
});

/** The real folders, and what the rules say that both sides agreed on. */
class World {
  readonly #pair: Pair;
  readonly #agreed: Contents = new Map();
  #writes = 0;
  /** Any two writes differ in their time too, as those of people do. */
  #time = 1_700_000_000;

  constructor(pair: Pair) {
    this.#pair = pair;
  }

  edit({ side, path, kind }: Edit): void {
    const file = join(this.#pair[side], path);
    if (kind === "remove") {
      rmSync(file, { force: true });
      return;
    }
    this.#writes += 1;
    this.#time += 1;
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, `content ${this.#writes}`);
    utimesSync(file, this.#time, this.#time);
  }

  async sync({ direction, deletes }: Sync): Promise<void> {
    const before = { host: this.#read("host"), guest: this.#read("guest") };
    const [source, destination] = direction === "push" ? (["host", "guest"] as const) : (["guest", "host"] as const);
    const report = await (direction === "push" ? this.#pair.push({ deletes }) : this.#pair.pull({ deletes }));
    const expected = new Map(before[destination]);
    let conflicts = 0;
    for (const path of paths) {
      const [there, here, agreed] = [before[source].get(path), before[destination].get(path), this.#agreed.get(path)];
      if (there === here) this.#agree(path, here);
      else if (here === agreed && there !== undefined) {
        expected.set(path, there);
        this.#agree(path, there);
      } else if (here === agreed && deletes) {
        expected.delete(path);
        this.#agree(path, undefined);
      } else if (here !== agreed && there !== agreed && (there !== undefined || deletes)) conflicts += 1;
    }
    expect(this.#read(source), "the source is left alone").toEqual(before[source]);
    expect(this.#read(destination)).toEqual(expected);
    expect(report.counts.conflict).toBe(conflicts);
    await this.#expectNothingLost([...before.host.values(), ...before.guest.values()]);
  }

  async #expectNothingLost(contents: readonly string[]): Promise<void> {
    const kept = new Set([
      ...this.#read("host").values(),
      ...this.#read("guest").values(),
      ...(await backedUp(this.#pair)),
    ]);
    for (const content of contents) expect(kept, "what was there is somewhere still").toContain(content);
  }

  #agree(path: Path, content: string | undefined): void {
    if (content === undefined) this.#agreed.delete(path);
    else this.#agreed.set(path, content);
  }

  #read(side: "host" | "guest"): Contents {
    const found: Contents = new Map();
    for (const path of paths) {
      const file = join(this.#pair[side], path);
      if (lstatSync(file, { throwIfNoEntry: false })?.isFile()) found.set(path, readFileSync(file, "utf8"));
    }
    return found;
  }
}
