import { describe, expect, it } from "vitest";
import { type PoolMember, type PoolSituation, planPool } from "../src/pool/plan.ts";

const member = (id: string, more: Partial<PoolMember> = {}): PoolMember => ({
  ...{ id, state: "ready", leaving: false, outdated: false },
  ...more,
});
const situation = (more: Partial<PoolSituation>): PoolSituation => ({
  ...{ size: 2, members: [], othersWait: false, mayTry: true },
  ...more,
});

describe("the plan of the warm pool", () => {
  it("makes one at a time, up to the number that is wanted", () => {
    expect(planPool(situation({}))).toEqual({ kind: "make" });
    expect(planPool(situation({ members: [member("a", { state: "making" })] }))).toEqual({ kind: "rest" });
    expect(planPool(situation({ members: [member("a")] }))).toEqual({ kind: "make" });
    expect(planPool(situation({ members: [member("a"), member("b")] }))).toEqual({ kind: "rest" });
  });

  it("lets those go first who wait for a sandbox, and waits after a failure", () => {
    expect(planPool(situation({ othersWait: true }))).toEqual({ kind: "rest" });
    expect(planPool(situation({ mayTry: false }))).toEqual({ kind: "rest" });
  });

  it("shrinks by those that are not ready first, and to nothing", () => {
    const members = [member("a", { state: "making" }), member("b"), member("c")];
    expect(planPool(situation({ members }))).toEqual({ kind: "remove", ids: ["a"] });
    expect(planPool(situation({ members, size: 0 }))).toEqual({ kind: "remove", ids: ["b", "c", "a"] });
  });

  it("replaces what failed or is a clone of another template, whoever waits", () => {
    const members = [member("a", { state: "failed" }), member("b", { outdated: true }), member("c")];
    const plan = planPool(situation({ members, othersWait: true, mayTry: false }));
    expect(plan).toEqual({ kind: "remove", ids: ["a", "b"] });
  });

  it("makes no other while one leaves, and asks again for a removal that failed when it may", () => {
    const leaving = member("a", { leaving: true, state: "making" });
    expect(planPool(situation({ members: [leaving] }))).toEqual({ kind: "rest" });
    const members = [{ ...leaving, state: "failed" as const }];
    expect(planPool(situation({ members, mayTry: false }))).toEqual({ kind: "rest" });
    expect(planPool(situation({ members }))).toEqual({ kind: "remove", ids: ["a"] });
  });
});
