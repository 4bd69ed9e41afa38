import { newId, type UnsavedWork } from "@berth/protocol";
import pino from "pino";
import { describe, expect, it } from "vitest";
import { DestroyGuard } from "../src/projects/destroy-guard.ts";
import type { SandboxRepository } from "../src/projects/sandbox-repository.ts";
import { noWork } from "../src/projects/unsaved.ts";
import type { SandboxRow } from "../src/sandboxes/record.ts";

/** What the guard reads of a row. */
type Seen = Pick<
  SandboxRow,
  "id" | "name" | "state" | "address" | "bootstrapped_at" | "project_id" | "workspace_filled" | "unsaved_then"
>;

const ready: Seen = {
  ...{ id: newId("sandbox"), name: "one", state: "ready", address: "10.0.0.2", bootstrapped_at: new Date(0) },
  ...{ project_id: newId("project"), workspace_filled: true, unsaved_then: null },
};

/** Asks a guard whose sandboxes answer this; an error: they do not answer. */
async function permit(seen: Seen, answer: string | Error, discard = false, agentSeesNothing = false) {
  const { guard, asked } = guardOf(answer, agentSeesNothing ? noWork : undefined);
  const outcome = await guard.permit(seen as SandboxRow, discard).catch((error: unknown) => error);
  return { outcome, asked: asked() };
}

function guardOf(answer: string | Error, told: UnsavedWork | undefined) {
  let asked = 0;
  const guard = new DestroyGuard({
    log: pino({ level: "silent" }),
    told: async () => told,
    awake: async (row) => ({ ...row, state: "ready" }),
    repository: async () => {
      asked += 1;
      if (answer instanceof Error) throw answer;
      const run: SandboxRepository["run"] = async () => ({ exitCode: 0, output: Buffer.from(answer), complaints: "" });
      return { run } as SandboxRepository;
    },
  });
  return { guard, asked: () => asked };
}

const clean = "repository\n0\n0\n0\n";
const unsaved = "repository\n1\n0\n0\n";
const silent = new Error("it does not answer");

describe("the guard of unsaved work", () => {
  it("lets go what has nothing unsaved, and keeps what has, once the caller was told", async () => {
    expect(await permit(ready, clean)).toEqual({ outcome: { keep: false }, asked: 1 });
    expect(await permit(ready, "none\n")).toMatchObject({ outcome: { keep: false } });
    expect(await permit(ready, unsaved)).toMatchObject({ outcome: { code: "unsaved_work" } });
    expect(await permit(ready, unsaved, true)).toMatchObject({ outcome: { keep: true } });
    expect(await permit({ ...ready, project_id: null }, unsaved)).toMatchObject({ outcome: { code: "unsaved_work" } });
  });

  it("says what is unsaved in the repositories of folders, too, of which it has been told", async () => {
    const below = "+ 2 0 1 app\n+ 0 1 0 deep/other one\n";
    const work = "2 unpushed commits, 1 uncommitted file (app/), 1 stash";
    for (const answer of [`${below}none\n`, `${below}${clean}`]) {
      const { outcome } = await permit(ready, answer);
      expect(outcome).toMatchObject({ code: "unsaved_work", message: expect.stringContaining(work) });
    }
    expect(await permit(ready, "+ 1 x\nnone\n")).toMatchObject({ outcome: { code: "unsaved_work" } });
  });

  it("wakes one that sleeps to ask it, whoever's project it is", async () => {
    const asleep = { ...ready, state: "asleep" } as const;
    for (const seen of [asleep, { ...asleep, project_id: null }]) {
      expect(await permit(seen, unsaved)).toMatchObject({ outcome: { code: "unsaved_work" }, asked: 1 });
    }
  });

  it("signs in to no sandbox whose agent is certain that there is nothing", async () => {
    expect(await permit(ready, silent, false, true)).toEqual({ outcome: { keep: false }, asked: 0 });
  });

  it("does not take silence for an answer where a project was worked on", async () => {
    for (const seen of [ready, { ...ready, state: "failed" }, { ...ready, state: "stopped" }]) {
      expect(await permit(seen, silent)).toMatchObject({ outcome: { code: "unsaved_work" } });
      expect(await permit(seen, silent, true)).toMatchObject({ outcome: { keep: false } });
    }
    expect(await permit(ready, "nonsense")).toMatchObject({ outcome: { code: "unsaved_work" } });
  });

  it("goes by what was known of a stopped sandbox when it was shut down, and says since when", async () => {
    const at = "2026-11-01T10:00:00.000Z";
    const stopped = (commits: number) => ({
      ...ready,
      state: "stopped",
      unsaved_then: { work: { ...noWork, commits }, at },
    });
    for (const project_id of [ready.project_id, null]) {
      const { outcome, asked } = await permit({ ...stopped(2), project_id }, silent);
      expect(outcome).toMatchObject({
        code: "unsaved_work",
        message: expect.stringContaining(`(${at}): 2 unpushed commits`),
      });
      expect(asked).toBe(0);
      expect(await permit({ ...stopped(2), project_id }, silent, true)).toEqual({ outcome: { keep: false }, asked: 0 });
      expect(await permit({ ...stopped(0), project_id }, silent)).toEqual({ outcome: { keep: false }, asked: 0 });
    }
    expect(await permit({ ...stopped(2), state: "ready" }, clean), "it runs again").toMatchObject({ asked: 1 });
  });

  it("looks once more before a shutdown: by the agent, and by a sign-in only where that is not certain", async () => {
    const some = { ...noWork, files: 2 };
    const look = async (answer: string | Error, told: UnsavedWork | undefined, thoroughly: boolean) => {
      const { guard, asked } = guardOf(answer, told);
      return [await guard.lastLook({ ...ready, state: "stopping" } as SandboxRow, thoroughly), asked()];
    };
    expect(await look(unsaved, noWork, true)).toEqual([noWork, 0]);
    expect(await look(unsaved, some, false)).toEqual([some, 0]);
    expect(await look(unsaved, some, true)).toEqual([{ ...noWork, commits: 1 }, 1]);
    expect(await look(silent, some, true)).toEqual([some, 1]);
    expect(await look(silent, undefined, true)).toEqual([undefined, 1]);
  });

  it("is no obstacle where nobody can have worked", async () => {
    expect(await permit({ ...ready, project_id: null }, silent)).toMatchObject({ outcome: { keep: false } });
    expect(await permit({ ...ready, project_id: null, state: "stopped" }, silent)).toMatchObject({ asked: 0 });
    const unfilled = { ...ready, workspace_filled: false, state: "provisioning" };
    expect(await permit(unfilled, silent)).toEqual({ outcome: { keep: false }, asked: 0 });
    expect(await permit({ ...ready, state: "destroying" }, silent)).toEqual({ outcome: { keep: false }, asked: 0 });
  });
});
