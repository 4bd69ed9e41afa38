import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ScreenModel } from "../src/pty-host/screen-model.ts";
import { type RecordedSession, recordedSessions } from "./recordings/recorded-session.ts";
import { describeScreen } from "./support/screen.ts";

const sessions = await recordedSessions();
const cutsEach = 40;

/** Plays what lies between two points of a session, each so many bytes into its output. */
async function feed(model: ScreenModel, session: RecordedSession, from: number, to: number): Promise<void> {
  let at = 0;
  for (const part of session.parts) {
    if ("resize" in part) {
      // A size belongs to the output before it, as the feed has it.
      if (at >= from && at < to) model.resize(...part.resize);
      continue;
    }
    const bytes = Buffer.from(part.output, "latin1");
    const piece = bytes.subarray(Math.max(0, from - at), Math.max(0, to - at));
    if (piece.byteLength > 0) await model.write(piece);
    at += bytes.byteLength;
  }
}

const outputBytes = ({ parts }: RecordedSession) =>
  parts.reduce((bytes, part) => bytes + ("output" in part ? part.output.length : 0), 0);

describe.each([...sessions])("the screen of %s", (_name, session) => {
  const total = outputBytes(session);

  it("is the same after a snapshot anywhere as without one, and after all that follows", {
    timeout: 120_000,
  }, async () => {
    const whole = new ScreenModel(session.cols, session.rows);
    await feed(whole, session, 0, total + 1);
    const end = describeScreen(whole, true);
    whole.dispose();
    const live = new ScreenModel(session.cols, session.rows);
    const offsets = fc.sample(fc.integer({ min: 0, max: total }), { numRuns: cutsEach, seed: 1 }).sort((a, b) => a - b);
    let at = 0;
    for (const offset of offsets) {
      await feed(live, session, at, offset);
      at = offset;
      const viewer = new ScreenModel(live.cols, live.rows);
      await viewer.write(Buffer.from("\x1b[?1049h\x1b[?25l\x1b[41mdirt\x1b[2;3r\x1b(0\x1b[4h\x1b[3g"));
      await viewer.write(live.snapshot(10_000));
      expect(describeScreen(viewer), `at ${offset}`).toEqual(describeScreen(live));
      await feed(viewer, session, offset, total + 1);
      expect(describeScreen(viewer, true), `after the rest behind ${offset}`).toEqual(end);
      viewer.dispose();
    }
    live.dispose();
  });
});
