import { PassThrough } from "node:stream";
import { TerminalScreen } from "@berth/testkit";
import { describe, expect, it } from "vitest";
import { DetachKeys, parseDetachKeys } from "../src/attach/detach-keys.ts";
import { LocalScreen } from "../src/attach/local-screen.ts";
import { SequenceState } from "../src/attach/sequence-state.ts";
import { statusText } from "../src/attach/status-text.ts";

const typed = (keys: DetachKeys, text: string) => {
  const { tokens, detach } = keys.take(Buffer.from(text, "latin1"));
  return { text: tokens.join(""), detach };
};

describe("detach keys", () => {
  const keys = () => new DetachKeys(parseDetachKeys("C-] d"));

  it("are found at once or key by key, and what was typed before goes through", () => {
    expect(typed(keys(), "ls\x1dd")).toEqual({ text: "ls", detach: true });
    const slow = keys();
    expect(typed(slow, "\x1d")).toEqual({ text: "", detach: false });
    expect(typed(slow, "d")).toEqual({ text: "", detach: true });
  });

  it("let everything else through as it is", () => {
    const other = keys();
    expect(typed(other, "\x1dx\x03")).toEqual({ text: "\x1dx\x03", detach: false });
    expect(typed(other, "d\x1b[A\x1b[200~päste".normalize())).toMatchObject({ detach: false });
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => (byte === 0x1d ? 0 : byte)));
    expect(Buffer.from(typed(other, bytes.toString("latin1")).text, "latin1")).toEqual(bytes);
  });

  it("send their first key when it is pressed twice", () => {
    expect(typed(keys(), "\x1d\x1d")).toEqual({ text: "\x1d", detach: false });
  });

  it("are known in the encodings that programs switch on", () => {
    expect(typed(keys(), "\x1b[93;5u\x1b[93;5:3ud").detach).toBe(true);
    expect(typed(keys(), "\x1b[27;5;93~\x1b[100;1:1u").detach).toBe(true);
    expect(typed(keys(), "\x1b[93;6ud").detach).toBe(false);
  });

  it("may be others, as tmux or Docker write them, or none", () => {
    const docker = new DetachKeys(parseDetachKeys("ctrl-p,ctrl-q"));
    expect(typed(docker, "\x10\x11").detach).toBe(true);
    expect(typed(new DetachKeys(parseDetachKeys("none")), "\x1dd")).toEqual({ text: "\x1dd", detach: false });
    for (const wrong of ["", "C-", "C-] C-] C-] C-] d", "Ctrl", "C-5"]) {
      expect(() => parseDetachKeys(wrong)).toThrow(/not a sequence of keys/);
    }
  });
});

describe("the state of a sequence", () => {
  const between = (text: string | Uint8Array) => {
    const state = new SequenceState();
    state.take(Buffer.from(text));
    return state.between;
  };

  it("is between sequences where something may be drawn, and nowhere else", () => {
    for (const whole of [
      "",
      "text",
      "\x1b[31m",
      "\x1b]0;title\x07",
      "\x1b]8;;u\x1b\\",
      "\x1b7",
      "\x1b(B",
      "é€😀",
      "\x1bPq\x1b\\",
    ])
      expect(between(whole), JSON.stringify(whole)).toBe(true);
    for (const cut of ["\x1b", "\x1b[3", "\x1b]0;tit", "\x1b]0;t\x1b", "\x1b(", "\x1bPq#", "\x1b[1;\x1b"])
      expect(between(cut), JSON.stringify(cut)).toBe(false);
    for (const character of ["é", "€", "😀"]) expect(between(Buffer.from(character).subarray(0, -1))).toBe(false);
  });
});

describe("the user's own terminal", () => {
  const size = { cols: 40, rows: 5 };
  const terminal = () => {
    const seen = new TerminalScreen(size);
    const stream = Object.assign(new PassThrough(), { columns: size.cols, rows: size.rows, isTTY: true });
    const chunks: Buffer[] = [];
    stream.on("data", (chunk: Buffer) => {
      chunks.push(chunk);
      seen.write(chunk);
    });
    return { seen, stream, screen: new LocalScreen(stream, false), output: () => Buffer.concat(chunks).toString() };
  };
  const write = (screen: LocalScreen, text: string) =>
    new Promise<void>((resolve) => screen.write(new Uint8Array(Buffer.from(text)), resolve));

  it("gets a status line over its last row, and the row back before the program's next byte", async () => {
    const { seen, screen, output } = terminal();
    await write(screen, "\x1bcone\r\n\x1b[5;1H\x1b[1;31mbottom\x1b[m \x1b[48;5;4m  \x1b[m 日本\x1b[2;3H");
    screen.status("away");
    await seen.waitForText("away");
    expect(seen.text()).toContain("one");
    expect(seen.text()).not.toContain("bottom");
    await write(screen, "two");
    screen.status(undefined);
    await seen.drained();
    expect(seen.text()).toBe("one\n  two\n\n\nbottom    日本");
    expect(output()).toContain("\x1b[0;1;38;5;1mbottom\x1b[0m \x1b[0;48;5;4m  \x1b[0m 日本");
    screen.leave();
    seen.dispose();
  });

  it("draws nothing within a sequence", async () => {
    const { seen, screen, output } = terminal();
    await write(screen, "\x1bcx\x1b[3");
    screen.status("away");
    await write(screen, "1mred");
    await seen.waitForText("away");
    expect(output()).toContain("\x1b[31mred");
    screen.leave();
    seen.dispose();
  });
});

it("says in the status line what is awaited, and how to leave", () => {
  const waiting = { phase: "waiting", retryAt: 5_400, reason: null } as const;
  expect(statusText(waiting, 1_000, "C-] d")).toBe(
    "berth: the connection is away; trying again in 5 s — C-] d detaches",
  );
  expect(statusText({ phase: "holding", heldBytes: 3 }, 0, "none")).toMatch(/^berth: 3 bytes were .*y \/ n$/);
  expect(statusText({ phase: "connected" }, 0, "C-] d")).toBeUndefined();
});
