import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ManualClock } from "@berth/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { tryOut } from "../src/agent/programs/trial.ts";
import { settleUpdates, writeState } from "../src/agent/programs/updates-folder.ts";
import { chooseUpdate, maxStarts } from "../src/launch/choice.ts";
import { readState, stateFileName } from "../src/launch/state.ts";
import { temporaryRoot } from "./support/pty-host.ts";

let root: ReturnType<typeof temporaryRoot>;
let folder: string;

beforeEach(() => {
  root = temporaryRoot();
  folder = join(root.path, "programs");
  mkdirSync(folder);
});

afterEach(() => root.remove());

function install(version: string): void {
  mkdirSync(join(folder, version));
  for (const role of ["agent", "pty-host"]) writeFileSync(join(folder, version, `${role}.mjs`), "");
}

const bundle = (version: string, role = "agent") => join(folder, version, `${role}.mjs`);

describe("what the launcher starts", () => {
  it("is the template's own while there was no update, or nothing of one that can be read", () => {
    expect(chooseUpdate(join(folder, "absent"), "agent")).toBe(undefined);
    for (const content of ["", "{", "[]", "null", '{"proven":7}', '{"proven":"../../etc"}', '{"trying":"gone"}']) {
      writeFileSync(join(folder, stateFileName), content);
      expect(chooseUpdate(folder, "agent")).toBe(undefined);
    }
  });

  it("is the version that has proved itself, as often as it is started", async () => {
    install("2");
    await writeState(folder, { proven: "2", failed: "3" });
    for (let start = 0; start < 2 * maxStarts; start += 1) expect(chooseUpdate(folder, "agent")).toBe(bundle("2"));
    expect(chooseUpdate(folder, "pty-host")).toBe(bundle("2", "pty-host"));
  });

  it("is a version on trial for three starts of a program, and then the one before, for both programs", async () => {
    install("2");
    install("3");
    await writeState(folder, { proven: "2", trying: "3" });
    expect(chooseUpdate(folder, "pty-host")).toBe(bundle("3", "pty-host"));
    for (let start = 0; start < maxStarts; start += 1) expect(chooseUpdate(folder, "agent")).toBe(bundle("3"));
    expect(chooseUpdate(folder, "agent")).toBe(bundle("2"));
    expect(chooseUpdate(folder, "pty-host")).toBe(bundle("2", "pty-host"));
    rmSync(join(folder, "2"), { recursive: true });
    expect(chooseUpdate(folder, "agent")).toBe(undefined);
  });

  it("is never a version whose starts cannot be counted", async () => {
    install("3");
    mkdirSync(join(folder, "3", "starts.agent"));
    await writeState(folder, { trying: "3" });
    expect(chooseUpdate(folder, "agent")).toBe(undefined);
  });
});

describe("what an agent makes of the updates when it starts", () => {
  it("keeps a version on trial, its own, and takes what nobody needs away", async () => {
    for (const version of ["1", "2", "3", "incoming-x"]) install(version);
    await writeState(folder, { proven: "2", trying: "3" });
    expect(await settleUpdates(folder, "3")).toEqual({ proven: "2", trying: "3" });
    expect(chooseUpdate(folder, "agent")).toBe(bundle("3"));
    expect(() => readFileSync(bundle("1"))).toThrow("ENOENT");
    expect(() => readFileSync(bundle("incoming-x"))).toThrow("ENOENT");
    expect(readFileSync(bundle("2"), "utf8")).toBe("");
  });

  it("notes the failure of a version that the launcher gave up, on trial or after it", async () => {
    install("2");
    install("3");
    await writeState(folder, { proven: "2", trying: "3" });
    expect(await settleUpdates(folder, "2")).toEqual({ proven: "2", failed: "3" });
    expect(readState(folder)).toEqual({ proven: "2", failed: "3" });
    expect(await settleUpdates(folder, "1")).toEqual({ failed: "2" });
    expect(chooseUpdate(folder, "agent")).toBe(undefined);
    expect(await settleUpdates(folder, "1")).toEqual({ failed: "2" });
  });
});

describe("a version on trial", () => {
  const trial = (inOrder: (look: number) => boolean, isExhausted = () => false, away = (_look: number) => false) => {
    const clock = new ManualClock(0);
    const ended = new AbortController();
    let looks = 0;
    const isInOrder = async () => inOrder(++looks);
    const isControllerAway = async () => away(looks);
    const result = tryOut({ isInOrder, isControllerAway, isExhausted, clock }, ended.signal);
    return { clock, ended, looks: () => looks, result };
  };
  const never = () => false;

  it("has proved itself after ten seconds in order on end", async () => {
    const { clock, looks, result } = trial((look) => look !== 5);
    await clock.advance(60_000);
    expect(await result).toBe(true);
    expect(looks()).toBe(15);
  });

  it("has failed when that does not come within two minutes", async () => {
    const { clock, looks, result } = trial((look) => look % 10 !== 0);
    await clock.advance(300_000);
    expect(await result).toBe(false);
    expect(looks()).toBe(120);
  });

  it("is on trial for longer while the controller is away, and proves itself when that is back", async () => {
    const { clock, looks, result } = trial(
      (look) => look > 1_000,
      never,
      (look) => look <= 900,
    );
    await clock.advance(1_200_000);
    expect(await result).toBe(true);
    expect(looks()).toBe(1_010);
  });

  it("has failed when it does not link in the two minutes in which the controller is there", async () => {
    const { clock, looks, result } = trial(never, never, (look) => look > 60 && look <= 600);
    await clock.advance(1_200_000);
    expect(await result).toBe(false);
    expect(looks()).toBe(120 + 540);
  });

  it("has failed when the controller seems away for an hour: it may err about that", async () => {
    const { clock, looks, result } = trial(never, never, () => true);
    await clock.advance(4_000_000);
    expect(await result).toBe(false);
    expect(looks()).toBe(3_600);
  });

  it("has failed when its PTY host ends again and again, and is undecided when the agent is stopped", async () => {
    expect(
      await trial(
        () => true,
        () => true,
      ).result,
    ).toBe(false);
    const { ended, result } = trial(() => false);
    ended.abort();
    expect(await result).toBe(undefined);
  });
});
