import { type Client, newId, type Operation } from "@berth/protocol";
import { expect, it } from "vitest";
import { endOf } from "../src/operation/end-of.ts";

const begun: Operation = {
  id: newId("operation"),
  kind: "git_push",
  sandboxId: null,
  sandboxName: "work",
  state: "queued",
  steps: [],
  error: null,
  result: null,
  createdAt: "2026-11-21T10:00:00.000Z",
  finishedAt: null,
};

/** A controller that answers these, one after the other. */
function answering(states: Partial<Operation>[]): Pick<Client, "call"> {
  const call = async () => ({ ...begun, ...states.shift() });
  // Only `getOperation` is called.
  return { call: call as unknown as Client["call"] };
}

it("looks at a piece of work until it has ended, and tells how it is meanwhile", async () => {
  const seen: string[] = [];
  const api = answering([{ state: "running" }, { state: "succeeded", result: { a: 1 } }]);
  const ended = await endOf(api, begun, ({ state }) => seen.push(state));
  expect(ended.result).toEqual({ a: 1 });
  expect(seen).toEqual(["queued", "running", "succeeded"]);
});

it("says why it has failed, or that it was cancelled", async () => {
  const error = { code: "push_rejected", message: "No.", hint: "Fetch." };
  await expect(endOf(answering([]), { ...begun, state: "failed", error }, () => {})).rejects.toMatchObject({
    failure: error,
  });
  await expect(endOf(answering([{ state: "cancelled" }]), begun, () => {})).rejects.toMatchObject({
    failure: { code: "cancelled" },
  });
});
