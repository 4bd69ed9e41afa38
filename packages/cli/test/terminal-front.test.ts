import { PassThrough } from "node:stream";
import { parseJson } from "@berth/protocol";
import { AttachConnection, type AttachState, type SocketEvents } from "@berth/protocol/viewer";
import { eventually, ManualClock, TerminalScreen } from "@berth/testkit";
import { afterEach, describe, expect, it } from "vitest";
import { TerminalFront } from "../src/attach/terminal-front.ts";
import { readEnvironment } from "../src/environment.ts";

const size = { cols: 60, rows: 6 };

/** A connection whose server is the test, shown on a terminal that is the test too. */
function attached() {
  const clock = new ManualClock();
  const stdout = Object.assign(new PassThrough(), { columns: size.cols, rows: size.rows, isTTY: true });
  const raw: boolean[] = [];
  const stdin = Object.assign(new PassThrough(), { isTTY: true, setRawMode: (on: boolean) => raw.push(on) });
  const screen = new TerminalScreen(size);
  stdout.on("data", (chunk: Buffer) => screen.write(chunk));
  const sent: string[] = [];
  let events: SocketEvents | undefined;
  const states: AttachState[] = [];
  const signal = new AbortController().signal;
  const environment = readEnvironment({ HOME: "/nowhere" }, "linux");
  const front = new TerminalFront({ clock, stdin, stdout, stderr: stdout, environment, signal }, { inline: false });
  const connection = new AttachConnection({
    address: () => "/",
    openSocket: (_path, given) => {
      events = given;
      return {
        send: (data) => void sent.push(typeof data === "string" ? data : Buffer.from(data).toString("latin1")),
        close: () => {},
      };
    },
    screen: front.screen,
    verdict: async () => "retry",
    onState: (state) => {
      states.push(state);
      front.state(state);
    },
    clock,
    random: () => 0,
    newStreamId: () => "stream",
  });
  let detached = false;
  front.start(connection, () => {
    detached = true;
  });
  const attach = (mode: "exact" | "snapshot", offset: number) => {
    const message = { type: "attached", epoch: 1, offset, mode, ...size, windowBytes: 1000, inputOffset: 0 };
    events?.onMessage(JSON.stringify(message));
  };
  const output = (text: string) => events?.onMessage(new Uint8Array(Buffer.from(text)).buffer);
  const typed = () => sent.filter((text) => parseJson(text) === undefined).join("");
  return {
    ...{ clock, stdin, raw, screen, front, connection, states, sent, attach, output, typed },
    cut: () => events?.onClose(1006, ""),
    detached: () => detached,
  };
}

describe("a terminal that is attached here", () => {
  let here: ReturnType<typeof attached>;
  afterEach(() => {
    here.connection.close();
    here.front.stop();
    here.screen.dispose();
  });

  /** What was typed while the connection was away for longer than the protocol sends it unasked. */
  const awayForLong = async (text: string) => {
    here = attached();
    here.connection.open();
    here.attach("snapshot", 0);
    here.output("\x1bcprompt> ");
    await here.screen.waitForText("prompt>");
    here.cut();
    here.stdin.write(text);
    await eventually(() => (here.connection.pendingInputBytes === text.length ? true : undefined));
    await here.clock.advance(31_000);
    here.attach("exact", 0);
    await here.screen.waitForText(/bytes were typed while the connection was away/);
    expect(here.typed()).toBe("");
  };

  it("asks before it sends what was typed during a long cut, and sends it once", async () => {
    await awayForLong("rm -rf x\r");
    here.stdin.write("maybe");
    await here.clock.advance(1_000);
    here.stdin.write("yes");
    await here.clock.advance(1_000);
    expect(here.typed()).toBe("");
    here.stdin.write("y");
    await eventually(() => (here.typed() === "rm -rf x\r" ? true : undefined));
    await eventually(() => (here.screen.text() === "prompt>" ? true : undefined));
  });

  it("forgets it when that is wanted", async () => {
    await awayForLong("rm -rf x\r");
    await here.clock.advance(1_000);
    here.stdin.write("n");
    await eventually(() => (here.connection.pendingInputBytes === 0 ? true : undefined));
    expect(here.typed()).toBe("");
  });

  it("can be left while the connection is away, and gives the terminal back", async () => {
    here = attached();
    here.connection.open();
    expect(here.raw).toEqual([true]);
    here.cut();
    here.stdin.write("\x1dd");
    await eventually(() => (here.detached() ? true : undefined));
    here.front.stop();
    expect(here.raw).toEqual([true, false]);
  });
});
