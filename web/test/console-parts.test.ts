import { newId, type Sandbox } from "@berth/protocol";
import { isAutomaticReply } from "@berth/protocol/viewer";
import { describe, expect, it } from "vitest";
import { placeOf, sandboxPath } from "../src/app/route.ts";
import { Fleet } from "../src/fleet/fleet.ts";
import { suggestName } from "../src/fleet/name-suggestion.ts";
import { durationText } from "../src/operation/duration.ts";
import { takeSetupToken } from "../src/session/setup-token.ts";
import { durationWords } from "../src/share/duration-words.ts";
import { shareTokenOf } from "../src/share/share-token.ts";
import { keyAction } from "../src/terminal/keys.ts";
import { FakeFleet } from "./fake-fleet.ts";

describe("a set-up link", () => {
  it("loses its token from the address as it is read", () => {
    const replaced: unknown[] = [];
    const history = { state: null, replaceState: (...args: unknown[]) => replaced.push(args.at(-1)) };
    const location = { hash: "#setup=abc_DEF-123", pathname: "/", search: "" };
    expect(takeSetupToken(location as Location, history as unknown as History)).toBe("abc_DEF-123");
    expect(replaced).toEqual(["/"]);
    expect(takeSetupToken({ ...location, hash: "" } as Location, history as unknown as History)).toBeUndefined();
  });
});

describe("addresses", () => {
  it("name pages, sandboxes and their terminals", () => {
    expect(placeOf("/")).toEqual({ page: "fleet" });
    expect(placeOf(sandboxPath("web", "trm_1"))).toEqual({
      page: "sandbox",
      name: "web",
      view: { view: "terminals", terminalId: "trm_1" },
    });
    expect(placeOf("/settings")).toEqual({ page: "settings" });
    expect(placeOf("/nothing/here")).toEqual({ page: "unknown" });
  });
});

describe("the fleet", () => {
  const listed = (sandboxes: () => Promise<Sandbox[]>) => {
    const call = async () => ({ items: await sandboxes(), nextCursor: null });
    return new Fleet({ call } as unknown as ConstructorParameters<typeof Fleet>[0]);
  };

  it("believes an event that came during a listing more than the list", async () => {
    const made = new FakeFleet();
    const kept = made.add("kept", "provisioning");
    const gone = made.add("gone", "ready");
    const fleet = listed(async () => {
      fleet.apply("sandbox", { ...kept, state: "ready" });
      fleet.apply("deleted", { kind: "sandbox", id: gone.id });
      return [kept, gone];
    });
    await fleet.refresh();
    expect([...fleet.state.get().sandboxes.values()].map(({ name, state }) => [name, state])).toEqual([
      ["kept", "ready"],
    ]);
  });

  it("forgets what a later list does not have, and takes no event that does not fit the contract", async () => {
    const old = new FakeFleet().add("old", "ready");
    const fleet = listed(async () => []);
    fleet.apply("sandbox", old);
    fleet.apply("sandbox", { id: newId("sandbox"), name: "half" });
    expect([...fleet.state.get().sandboxes.keys()]).toEqual([old.id]);
    await fleet.refresh();
    expect(fleet.state.get().sandboxes.size).toBe(0);
  });
});

describe("an answer that comes after the events of what it began", () => {
  it("does not put the sandbox back to what it was before the end", () => {
    const made = new FakeFleet();
    const sandbox = made.add("web", "ready");
    const { operation } = made.power(sandbox.id, "stop");
    const begun = { ...sandbox, operationId: operation.id };
    const fleet = new Fleet({ call: async () => ({}) } as unknown as ConstructorParameters<typeof Fleet>[0]);
    fleet.answer(begun);
    expect(fleet.state.get().sandboxes.get(sandbox.id)?.operationId).toBe(operation.id);
    fleet.apply("operation", { ...operation, state: "succeeded" });
    fleet.apply("sandbox", { ...sandbox, state: "stopped" });
    expect(fleet.hasEnded(operation.id)).toBe(true);
    fleet.answer(begun);
    expect(fleet.state.get().sandboxes.get(sandbox.id)).toMatchObject({ state: "stopped", operationId: null });
  });
});

describe("what a terminal says by itself", () => {
  it.each([
    ["\x1b[?1;2c", "device attributes"],
    ["\x1b[>0;276;0c", "secondary attributes"],
    ["\x1b[12;40R", "cursor position"],
    ["\x1b[0n", "status"],
    ["\x1b[?2026;2$y", "mode"],
    ["\x1b]11;rgb:1010/1414/1818\x1b\\", "colour"],
    ["\x1bP>|xterm.js(6.0.0)\x1b\\", "version"],
  ])("%j is an answer: %s", (data) => expect(isAutomaticReply(data)).toBe(true));

  it.each([
    "a",
    "\r",
    "\x1b",
    "\x1b[A",
    "\x1bOP",
    "\x1b[1;5C",
    "\x1b[<0;10;5M",
    "\x1b[I",
    "\x1b[200~ls\x1b[201~",
    "\x1b[3~",
  ])("%j is typed", (data) => expect(isAutomaticReply(data)).toBe(false));
});

describe("keys", () => {
  const press = (init: Partial<KeyboardEvent>) =>
    ({ key: "", code: "", ctrlKey: false, shiftKey: false, altKey: false, metaKey: false, ...init }) as KeyboardEvent;

  it("choose a tab only where there is one, and leave Ctrl+C to the program", () => {
    const alt2 = press({ altKey: true, code: "Digit2", key: "2" });
    expect(keyAction(alt2, "shell", 1)).toBeUndefined();
    expect(keyAction(alt2, "shell", 2)).toEqual({ do: "tab", index: 1 });
    expect(keyAction(press({ ctrlKey: true, code: "KeyC", key: "c" }), "shell", 1)).toBeUndefined();
    expect(keyAction(press({ ctrlKey: true, shiftKey: true, code: "KeyC", key: "C" }), "shell", 1)).toEqual({
      do: "copy",
    });
  });

  it("leave Ctrl+V to the browser for Claude alone, which would look for a picture where there is none", () => {
    const ctrlV = press({ ctrlKey: true, key: "v", code: "KeyV" });
    expect(keyAction(ctrlV, "claude", 1)).toEqual({ do: "paste" });
    expect(keyAction(ctrlV, "shell", 1)).toBeUndefined();
  });

  it("break a line for Claude with Shift+Enter, and nowhere else", () => {
    const shiftEnter = press({ shiftKey: true, key: "Enter", code: "Enter" });
    expect(keyAction(shiftEnter, "claude", 1)).toEqual({ do: "send", data: "\x1b\r" });
    expect(keyAction(shiftEnter, "shell", 1)).toBeUndefined();
  });
});

describe("words", () => {
  it("suggest a name that is free", () => {
    const first = suggestName(new Set(), () => 0);
    expect(suggestName(new Set([first]), () => 0)).toBe(`${first}-2`);
  });

  it("tell a time span", () => {
    expect([420, 12_000, 185_000, 7_440_000].map(durationText)).toEqual(["0.4 s", "12 s", "3 min 5 s", "2 h 4 min"]);
  });
});

describe("a duration", () => {
  it.each([
    [30 * 86_400_000, "30 d"],
    [86_400_000 + 3_600_000 + 60_000, "1 d 1 h"],
    [8 * 3_600_000 - 1, "7 h 59 min"],
    [3_600_000, "1 h"],
    [119_999, "1 min"],
    [59_999, "less than a minute"],
    [-1, "less than a minute"],
  ])("of %i ms is %s", (ms, words) => {
    expect(durationWords(ms)).toBe(words);
  });
});

describe("a share's link", () => {
  it("has its token behind the page's path, and only there", () => {
    const at = (path: string) => shareTokenOf(new URL(path, "http://berth"));
    expect(at("/share#brs_token")).toBe("brs_token");
    expect(at("/share")).toBe("");
    expect(at("/sandboxes/share#brs_token")).toBeUndefined();
  });
});
