import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { attachTerminal, routeUrl } from "../../src/index.ts";
import { AttachConnection } from "../../src/viewer/connection.ts";
import { inputBufferBytes } from "../../src/viewer/input-stream.ts";
import { attachTimes } from "../../src/viewer/options.ts";
import type { AttachState, AttachVerdict } from "../../src/viewer/state.ts";
import { FakeClock, settle } from "./fake-clock.ts";
import { FakeScreen } from "./fake-screen.ts";
import { bytesOf, FakeTerminal, type Line } from "./fake-terminal.ts";

function viewer(verdict: AttachVerdict = "retry") {
  const clock = new FakeClock();
  const terminal = new FakeTerminal();
  const screen = new FakeScreen();
  const states: AttachState[] = [];
  let streams = 0;
  const connection = new AttachConnection({
    address: (query) => routeUrl(attachTerminal, { params: { id: "trm_00000000000000000000" }, query }),
    openSocket: terminal.open,
    screen,
    verdict: async () => verdict,
    onState: (state) => states.push(state),
    clock,
    random: () => 0.5,
    newStreamId: () => {
      streams += 1;
      return `s${streams}`;
    },
  });
  const line = (): Line => {
    if (!terminal.line) throw new Error("no line is open");
    return terminal.line;
  };
  const connect = () => {
    connection.open();
    line().accept();
    line().deliverDown();
  };
  const reconnect = async () => {
    await clock.advance(20_000);
    line().accept();
    line().deliverDown();
  };
  return { clock, terminal, screen, states, connection, line, connect, reconnect };
}

const text = fc.string({ unit: fc.constantFrom("a", "b", "c", "\n"), minLength: 1, maxLength: 12 });
const step = fc.oneof(
  fc.record({ do: fc.constant("print"), text }),
  fc.record({ do: fc.constant("type"), text }),
  fc.record({ do: fc.constant("down"), count: fc.nat(4) }),
  fc.record({ do: fc.constant("up"), count: fc.nat(4) }),
  fc.record({ do: fc.constant("digest"), count: fc.nat(4) }),
  fc.record({ do: fc.constant("accept") }),
  fc.record({ do: fc.constant("resync") }),
  fc.record({ do: fc.constant("cut"), lost: fc.boolean() }),
  fc.record({ do: fc.constant("poke") }),
  fc.record({ do: fc.constant("late"), count: fc.nat(4) }),
  fc.record({ do: fc.constant("wait"), ms: fc.oneof(fc.nat(2000), fc.nat(12_000)) }),
);

describe("over arbitrary cuts and reconnects", () => {
  it("shows exactly what the terminal printed, and types each byte once and in order", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 120 }), async (steps) => {
        const { clock, terminal, screen, connection } = viewer();
        let typed = "";
        connection.open();
        for (const each of steps) {
          const line = terminal.line;
          if (each.do === "print") terminal.print(each.text);
          else if (each.do === "type") {
            if (connection.type(bytesOf(each.text)) === "taken") typed += each.text;
          } else if (each.do === "down") line?.deliverDown(each.count);
          else if (each.do === "up") line?.deliverUp(each.count);
          else if (each.do === "digest") screen.digest(each.count);
          else if (each.do === "accept") line?.accept();
          else if (each.do === "resync") line?.resync();
          else if (each.do === "cut") line?.cut(each.lost);
          else if (each.do === "late") {
            // Frames of a line that the viewer has left, in either direction.
            terminal.lines.at(-2)?.deliverDown(each.count);
            terminal.lines.at(-2)?.deliverUp(each.count);
          } else if (each.do === "poke") connection.poke();
          else await clock.advance(each.ms);
          await settle();
          if (connection.state.phase === "holding") connection.sendHeld();
        }
        for (let round = 0; round < 6; round += 1) {
          const line = terminal.line;
          line?.accept();
          line?.deliverDown();
          if (connection.state.phase === "holding") connection.sendHeld();
          line?.deliverUp();
          line?.deliverDown();
          screen.digest();
          // Short of the time after which an attempt without an answer is given up.
          await clock.advance(6000);
        }
        expect(connection.state.phase).toBe("connected");
        expect(screen.shown).toBe(terminal.output);
        expect(connection.receivedOffset).toBe(terminal.output.length);
        expect(terminal.typed).toBe(typed);
        expect(connection.pendingInputBytes).toBe(0);
        connection.close();
      }),
      { numRuns: 300 },
    );
  });
});

describe("output", () => {
  it("goes on where it ended when the ring still has it, and from a snapshot when not", async () => {
    const { terminal, screen, connect, line, reconnect } = viewer();
    connect();
    terminal.print("hello ");
    line().deliverDown();
    line().cut();
    terminal.print("world");
    await reconnect();
    expect(line().query.get("from")).toBe("1:6");
    expect(screen.shown).toBe("hello world");
    line().cut();
    terminal.print("x".repeat(200));
    await reconnect();
    expect(screen.shown).toBe(terminal.output);
  });

  it("is acknowledged when it is digested, together for a frame, and at once past 32 KiB", async () => {
    const { clock, terminal, screen, connect, line } = viewer();
    connect();
    screen.digest();
    await clock.advance(attachTimes.ackMs);
    line().deliverUp();
    expect(line().heard).toEqual([{ type: "ack", offset: 0 }]);
    terminal.print("a");
    terminal.print("b");
    line().deliverDown();
    screen.digest();
    expect(line().up).toEqual([]);
    await clock.advance(attachTimes.ackMs);
    line().deliverUp();
    expect(line().heard.at(-1)).toEqual({ type: "ack", offset: 2 });
    terminal.print("c".repeat(40_000));
    line().deliverDown();
    screen.digest();
    line().deliverUp();
    expect(line().heard.at(-1)).toEqual({ type: "ack", offset: 40_002 });
  });
});

describe("input", () => {
  it("is held after a long cut, and sent or discarded as the user says", async () => {
    for (const send of [true, false]) {
      const { clock, terminal, connection, connect, line } = viewer();
      connect();
      line().cut();
      expect(connection.type(bytesOf("rm -rf"))).toBe("taken");
      for (let second = 0; second < 40; second += 1) await clock.advance(1000);
      line().accept();
      line().deliverDown();
      expect(connection.state).toEqual({ phase: "holding", heldBytes: 6 });
      expect(connection.type(bytesOf("!"))).toBe("held");
      if (send) connection.sendHeld();
      else {
        connection.discardHeld();
        line().accept();
        line().deliverDown();
      }
      expect(connection.type(bytesOf("ls"))).toBe("taken");
      line().deliverUp();
      expect(terminal.typed).toBe(send ? "rm -rfls" : "ls");
      connection.close();
    }
  });

  it("is held, however short the cut, when the program was started anew or its stream forgotten", async () => {
    const { terminal, connection, connect, line, reconnect } = viewer();
    connect();
    line().cut();
    connection.type(bytesOf("y"));
    terminal.restart();
    await reconnect();
    expect(connection.state.phase).toBe("holding");
    connection.sendHeld();
    line().deliverUp();
    line().deliverDown();
    line().cut();
    connection.type(bytesOf("z"));
    terminal.forgetStreams();
    await reconnect();
    await settle();
    line().accept();
    line().deliverDown();
    expect(connection.state).toEqual({ phase: "holding", heldBytes: 1 });
    connection.close();
  });

  it("is refused when 1 MiB waits for the connection", () => {
    const { connection, connect, line } = viewer();
    connect();
    line().cut();
    expect(connection.type(new Uint8Array(inputBufferBytes))).toBe("taken");
    expect(connection.type(bytesOf("x"))).toBe("full");
    connection.close();
  });

  it("followed by silence means that the connection is dead", async () => {
    const { clock, terminal, screen, connection, connect, line, reconnect } = viewer();
    connect();
    await clock.advance(1000);
    connection.type(bytesOf("x"));
    const dead = line();
    await clock.advance(attachTimes.deadMs);
    expect(connection.state.phase).toBe("waiting");
    // What the dead line still delivers is not shown twice, and what it still carries is not typed twice.
    terminal.print("echo");
    dead.deliverUp();
    await reconnect();
    dead.deliverDown();
    line().deliverUp();
    expect(screen.shown).toBe("echo");
    expect(terminal.typed).toBe("x");
    connection.close();
  });
});

describe("size", () => {
  it("is told when it changes, and claimed by typing when another viewer has its own", () => {
    const { connection, connect, line, screen } = viewer();
    connection.fit({ cols: 80, rows: 24 });
    connect();
    expect(line().query.get("cols")).toBe("80");
    connection.fit({ cols: 80, rows: 24 });
    connection.type(bytesOf("a"));
    line().deliverUp();
    expect(line().heard).toEqual([]);
    connection.fit({ cols: 100, rows: 30 });
    line().deliverUp();
    expect(line().heard).toEqual([{ type: "resize", cols: 100, rows: 30 }]);
    line().tell({ type: "resized", cols: 60, rows: 20 });
    line().deliverDown();
    expect(screen.sizes.at(-1)).toEqual({ cols: 60, rows: 20 });
    connection.type(bytesOf("b"));
    connection.type(bytesOf("c"));
    line().deliverUp();
    expect(line().heard.slice(1)).toEqual([{ type: "resize", cols: 100, rows: 30 }]);
    connection.close();
  });
});

describe("the end", () => {
  it("is an exit: it is not tried again, until it is opened for the next life", async () => {
    const { clock, terminal, connection, connect, line } = viewer();
    connect();
    line().tell({ type: "exit", code: 3, signal: null });
    line().deliverDown();
    await clock.advance(60_000);
    expect(connection.state).toEqual({ phase: "exited", exit: { code: 3, signal: null } });
    expect(terminal.lines).toHaveLength(1);
    expect(connection.type(bytesOf("x"))).toBe("ended");
    terminal.restart();
    connect();
    expect(connection.state.phase).toBe("connected");
    expect(connection.epoch).toBe(2);
    connection.close();
  });

  it("is a refusal in words after a close with 1008", async () => {
    const { connection, connect, line } = viewer();
    connect();
    line().tell({ type: "error", code: "invalid_request", detail: "That was no control frame." });
    line().deliverDown();
    line().cut(true, 1008);
    await settle();
    expect(connection.state).toEqual({ phase: "failed", reason: "That was no control frame." });
  });

  it.each(["signedOut", "gone"] as const)("is %s when the upgrade was refused for that", async (verdict) => {
    const { clock, terminal, connection, line } = viewer(verdict);
    connection.open();
    line().cut();
    await settle();
    expect(connection.state.phase).toBe(verdict);
    await clock.advance(60_000);
    expect(terminal.lines).toHaveLength(1);
  });

  it("tries again at once when the network is back", () => {
    const { terminal, connection, connect, line } = viewer();
    connect();
    line().cut();
    connection.poke();
    expect(terminal.lines).toHaveLength(2);
    connection.close();
  });
});
