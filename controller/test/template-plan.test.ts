import { describe, expect, it } from "vitest";
import { type Observed, type ObservedBuild, planBuild, type WantedTemplate } from "../src/templates/plan.ts";

const now = 10_000_000;
const fresh: WantedTemplate = {
  end: "template",
  since: now,
  vmid: null,
  archiveFound: false,
  askedAt: undefined,
  made: false,
  verified: false,
  sent: false,
  provisioned: false,
  proved: false,
  running: undefined,
};
const reserved: WantedTemplate = { ...fresh, archiveFound: true, vmid: 150 };
const made: WantedTemplate = { ...reserved, askedAt: now, made: true };
const verified: WantedTemplate = { ...made, verified: true };
const sent: WantedTemplate = { ...verified, sent: true };
const provisioned: WantedTemplate = { ...sent, provisioned: true };
const proved: WantedTemplate = { ...provisioned, proved: true };

type Ours = Extract<ObservedBuild, { kind: "ours" }>;
const ours = (more: Partial<Ours> = {}): ObservedBuild => ({
  kind: "ours",
  running: true,
  template: false,
  lock: undefined,
  address: "10.0.0.2",
  ...more,
});
const stopped = ours({ running: false, address: undefined });
const seen = (container: ObservedBuild, task?: Observed["task"]): Observed => ({ container, task });
const none: ObservedBuild = { kind: "none" };

describe("the plan of a template's build", () => {
  it("goes from nothing to a template one step at a time", () => {
    const way: [WantedTemplate, ObservedBuild, string][] = [
      [fresh, none, "find-debian"],
      [{ ...fresh, archiveFound: true }, none, "reserve"],
      [reserved, none, "create"],
      [made, stopped, "start"],
      [made, ours(), "connect"],
      [verified, ours(), "send"],
      [sent, ours(), "provision"],
      [provisioned, ours(), "prove"],
      [proved, ours(), "shutdown"],
      [proved, stopped, "convert"],
      [proved, ours({ running: false, template: true, address: undefined }), "adopt"],
    ];
    for (const [wanted, container, step] of way) {
      expect(planBuild(wanted, seen(container), now), step).toMatchObject({ kind: "step", step });
    }
  });

  it("follows the task that was begun before it looks at anything else", () => {
    expect(planBuild(reserved, seen(none, { step: "create" }), now)).toMatchObject({
      step: "follow-task",
      name: "create",
    });
  });

  it("makes the call again that may not have acted: the id is taken once or refused", () => {
    expect(planBuild({ ...reserved, askedAt: now }, seen({ kind: "hidden", begun: false }), now)).toMatchObject({
      step: "create",
    });
    // Its answer was lost and it did act: the step finds its task.
    expect(planBuild({ ...reserved, askedAt: now }, seen(ours()), now)).toMatchObject({ step: "create" });
  });

  it("takes another id when somebody else has taken this one", () => {
    expect(planBuild(reserved, seen({ kind: "foreign" }), now)).toMatchObject({ step: "release" });
  });

  it("starts a container that was stopped in the middle, and goes on where it was", () => {
    expect(planBuild(sent, seen(stopped), now)).toMatchObject({ step: "start" });
    expect(planBuild(sent, seen(ours()), now)).toMatchObject({ step: "provision" });
  });

  it("fails when what it has made is gone or somebody else's", () => {
    for (const container of [none, { kind: "hidden", begun: true }, { kind: "foreign" }] as const) {
      expect(planBuild(sent, seen(container), now)).toMatchObject({
        kind: "fail",
        failure: { code: "container_missing" },
      });
    }
  });

  it("waits two minutes for an address, and three for a lock, and names the command that clears that", () => {
    const waiting = (name: string, ms: number) => ({ ...made, running: { name, since: now - ms } });
    const unaddressed = seen(ours({ address: undefined }));
    expect(planBuild(waiting("address", 119_000), unaddressed, now)).toMatchObject({ kind: "wait", name: "address" });
    expect(planBuild(waiting("address", 121_000), unaddressed, now)).toMatchObject({
      kind: "fail",
      failure: { code: "no_address" },
    });
    const locked = seen(ours({ lock: "disk" }));
    expect(planBuild(waiting("convert", 1_000), locked, now)).toMatchObject({ kind: "wait" });
    const failed = planBuild(waiting("convert", 181_000), locked, now);
    expect(failed).toMatchObject({ kind: "fail", failure: { hint: expect.stringContaining("pct unlock 150") } });
  });
});

describe("the plan of a build that is not wanted any more", () => {
  const gone = { end: "gone" } as const;

  it("stops its task, then the container, then destroys it, and then forgets it", () => {
    const way: [WantedTemplate, Observed, string][] = [
      [{ ...made, ...gone }, seen(none, { step: "start" }), "stop-task"],
      [{ ...made, ...gone }, seen(ours()), "kill"],
      [{ ...made, ...gone }, seen(stopped), "destroy"],
      [{ ...proved, ...gone }, seen(ours({ running: false, template: true })), "destroy"],
      [{ ...made, ...gone }, seen(none), "forget"],
      [{ ...fresh, ...gone }, seen(none), "forget"],
    ];
    for (const [wanted, observed, step] of way) expect(planBuild(wanted, observed, now), step).toMatchObject({ step });
  });

  it("touches nothing of somebody else's", () => {
    expect(planBuild({ ...reserved, ...gone }, seen({ kind: "foreign" }), now)).toMatchObject({ step: "forget" });
  });

  it("waits half a minute what comes of a call, and explains what a worker that was killed has left", () => {
    const asked = (ms: number): WantedTemplate => ({ ...reserved, ...gone, askedAt: now - ms, since: now - ms });
    const hidden = (begun: boolean) => seen({ kind: "hidden", begun });
    expect(planBuild(asked(29_000), hidden(false), now)).toMatchObject({ kind: "wait" });
    expect(planBuild(asked(31_000), hidden(false), now)).toMatchObject({ step: "forget" });
    expect(planBuild(asked(29_000), hidden(true), now)).toMatchObject({ kind: "wait" });
    const failed = planBuild(asked(31_000), hidden(true), now);
    expect(failed).toMatchObject({ kind: "fail", failure: { hint: expect.stringContaining("pct unlock 150") } });
  });

  it("gives up at a lock that stays, and says how to clear it", () => {
    const locked = seen(ours({ lock: "create" }));
    expect(planBuild({ ...made, ...gone }, locked, now)).toMatchObject({ kind: "wait" });
    expect(planBuild({ ...made, ...gone, since: now - 181_000 }, locked, now)).toMatchObject({
      kind: "fail",
      failure: { hint: expect.stringContaining("pct unlock 150") },
    });
  });
});
