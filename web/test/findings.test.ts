import type { DoctorCheck } from "@berth/protocol";
import { describe, expect, it, vi } from "vitest";
import { bytesOfText } from "../src/cluster/amounts.ts";
import { Doctor } from "../src/doctor/doctor.ts";
import { countsOf, findingsOf, hindrances, isCommand } from "../src/doctor/findings.ts";

const check = (id: string, state: DoctorCheck["state"], fix: string | null = null): DoctorCheck => ({
  ...{ id, state, fix, title: id, detail: "" },
});
const grant =
  "pveum role add X --privs 'A' || pveum role modify X --privs 'A'\npveum acl modify /vms --users 'u' --roles X";

describe("what the doctor found", () => {
  const checks = [
    check("database", "ok"),
    check("privilege:/vms:VM.Audit", "ok"),
    check("privilege:/vms:VM.Clone", "warning", grant),
    check("privilege:/vms:VM.Allocate", "failed", grant),
    check("storage:pve1", "warning", "Make room."),
    check("storage:pve2", "unknown"),
    check("storage:pve3", "unknown"),
    check("something:new", "ok"),
  ];

  it("begins with the worst part, and in each part with the worst, each cure once", () => {
    const told = findingsOf(checks).map(({ title, problems, well }) => ({
      title,
      problems: problems.map((problem) => problem.checks.map(({ id }) => id)),
      well: well.map(({ id }) => id),
    }));
    expect(told).toEqual([
      {
        title: "Rights of the API token",
        problems: [["privilege:/vms:VM.Allocate", "privilege:/vms:VM.Clone"]],
        well: ["privilege:/vms:VM.Audit"],
      },
      { title: "Storage", problems: [["storage:pve1"], ["storage:pve2", "storage:pve3"]], well: [] },
      { title: "The controller itself", problems: [], well: ["database"] },
      { title: "Other", problems: [], well: ["something:new"] },
    ]);
    expect(countsOf(checks)).toEqual({ failed: 1, warning: 2, unknown: 2, ok: 3 });
  });

  it("hinders creates where it failed, but for the template, of which its own notice tells", () => {
    const failed = [...checks, check("template", "failed", "berth template build")];
    expect(hindrances(failed).map(({ id }) => id)).toEqual(["privilege:/vms:VM.Allocate"]);
  });

  it("is mended by lines to copy, or by a sentence", () => {
    expect([grant, "berth adopt --all"].map(isCommand)).toEqual([true, true]);
    expect(["Make room on it.", `${grant}\nThen look again.`, ""].map(isCommand)).toEqual([false, false, false]);
  });
});

describe("the doctor", () => {
  it("looks once for all who ask at once, and not again while what it knows is young", async () => {
    let looks = 0;
    const call = async () => {
      looks += 1;
      return { checks: [check("database", "ok")] };
    };
    const doctor = new Doctor({ call } as unknown as ConstructorParameters<typeof Doctor>[0]);
    await Promise.all([doctor.look(), doctor.look()]);
    await doctor.lookIfOlder(1000);
    expect(looks).toBe(1);
    vi.useFakeTimers({ now: Date.now() + 2000 });
    await doctor.lookIfOlder(1000);
    vi.useRealTimers();
    expect(looks).toBe(2);
  });

  it("keeps what it knew when a look fails, and says why", async () => {
    const answers = [Promise.resolve({ checks: [check("database", "ok")] }), Promise.reject(new Error("away"))];
    const call = () => answers.shift();
    const doctor = new Doctor({ call } as unknown as ConstructorParameters<typeof Doctor>[0]);
    await doctor.look();
    await doctor.look();
    expect(doctor.state.get()).toMatchObject({
      checks: [{ id: "database" }],
      failure: { message: "away" },
      looking: false,
    });
  });
});

describe("an amount", () => {
  const gib = 1024 ** 3;
  it.each([
    [3.25 * gib, 16 * gib, "3.3 of 16 GiB"],
    [512 * gib, 4096 * gib, "0.5 of 4 TiB"],
    [1.5 * gib, null, "1.5 GiB"],
    [4096 * gib, null, "4 TiB"],
  ])("of %d bytes of %s is %s", (used, total, text) => expect(bytesOfText(used, total)).toBe(text));
});
