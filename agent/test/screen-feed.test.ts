import { expect, it } from "vitest";
import { OutputRing } from "../src/pty-host/ring.ts";
import { ScreenFeed } from "../src/pty-host/screen-feed.ts";
import { ScreenModel } from "../src/pty-host/screen-model.ts";

const ringBytes = 64 * 1024;
const line = (name: string) => Buffer.from(`${name.padEnd(62, ".")}\r\n`);
const flood = (name: string) => Buffer.concat(Array.from({ length: 2 * (ringBytes / 64) }, () => line(name)));

/** A model during whose first writes a program floods its ring anew. */
class FloodedModel extends ScreenModel {
  readonly #ring: OutputRing;
  #floods: number;

  constructor(ring: OutputRing, floods: number) {
    super(80, 5);
    this.#ring = ring;
    this.#floods = floods;
  }

  override async write(bytes: Uint8Array): Promise<void> {
    if (this.#floods > 0) {
      this.#floods -= 1;
      this.#ring.append(flood(`flood ${this.#floods}`));
    }
    await super.write(bytes);
  }
}

it("begins anew as often as a flood goes past the ring's tail while that is parsed", async () => {
  const ring = new OutputRing(ringBytes, ringBytes);
  const model = new FloodedModel(ring, 5);
  const feed = new ScreenFeed(ring, model, 0);
  ring.append(flood("first"));
  await feed.caughtUp();
  expect(feed.parsedOffset).toBeGreaterThanOrEqual(2 * ringBytes);
  for (let round = 0; round < 5; round += 1) await feed.caughtUp();
  expect(feed.parsedOffset).toBe(ring.endOffset);
  expect(model.text().text).toContain("flood 0");
  feed.stop();
  model.dispose();
});

it("shows those who wait what they waited for before it begins anew for others", async () => {
  const ring = new OutputRing(ringBytes, ringBytes);
  const model = new FloodedModel(ring, 1);
  const feed = new ScreenFeed(ring, model, 0);
  ring.append(line("before the flood"));
  const shown = feed.caughtUp().then(() => model.text().text);
  const after = feed.caughtUp().then(() => feed.caughtUp());
  expect(await shown).toContain("before the flood");
  await after;
  expect(feed.parsedOffset).toBe(ring.endOffset);
  feed.stop();
  model.dispose();
});
