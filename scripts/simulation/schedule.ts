import type { Random } from "@berth/testkit/random";
import { enter } from "./machine.ts";
import type { SimulatedTerminal } from "./terminal.ts";
import { SimulatedTime, settled } from "./time.ts";
import { maxStreams } from "./typed.ts";
import { type Part, parts, World } from "./world.ts";

/** How often what happens, as weights; what is left out does not happen. */
export type Mix = Readonly<Partial<Record<Act, number>>>;
type Act =
  | "deliver"
  | "disk"
  | "timer"
  | "sleep"
  | "emit"
  | "flood"
  | "read"
  | "type"
  | "digest"
  | "fit"
  | "poke"
  | "answer"
  | "cut"
  | "freeze"
  | "killController"
  | "killAgent"
  | "killPtyHost"
  | "start"
  | "reload"
  | "suspend"
  | "exit"
  | "fullDisk";

export interface Schedule {
  readonly seed: number;
  readonly mix: Mix;
  /** Random events before everything is left to settle. */
  readonly events: number;
}

/** What a schedule came to, for its test to see that it tried something. */
export interface Outcome {
  readonly exactBytes: number;
  readonly snapshots: number;
  readonly typedStreams: number;
  readonly events: number;
}

/** A schedule ended otherwise than it must. */
export class ScheduleFailure extends Error {
  override readonly name = "ScheduleFailure";
  readonly notes: readonly string[];

  constructor(cause: Error, notes: readonly string[]) {
    super(cause.message, { cause });
    this.notes = notes;
  }
}

/** How far ahead a timer fires without more ado, in milliseconds: what is longer is a rest that an act of its own takes. */
const nearMs = 500;
/** Events within which everything must have settled once nothing breaks any more. */
const settleEvents = 20_000;

/** Plays a schedule. Throws `ScheduleFailure` where a byte is lost or repeated, a bound does not hold, or it does not settle. */
export async function play({ seed, mix, events }: Schedule): Promise<Outcome> {
  const world = new World(seed, 1 + (seed % 4 === 0 ? 1 : 0));
  world.time.install(() => world.random.next());
  enter(world);
  try {
    const player = new Player(world, mix);
    await player.begin();
    for (let count = 0; count < events; count += 1) await player.step();
    await player.settle();
    return player.outcome;
  } catch (error) {
    throw new ScheduleFailure(error instanceof Error ? error : new Error(String(error)), world.notes);
  } finally {
    world.end();
    enter(undefined);
    SimulatedTime.uninstall();
  }
}

class Player {
  readonly #world: World;
  readonly #random: Random;
  readonly #acts: readonly { act: Act; upTo: number }[];
  readonly #total: number;
  #events = 0;

  constructor(world: World, mix: Mix) {
    this.#world = world;
    this.#random = world.random;
    let upTo = 0;
    this.#acts = Object.entries(mix).map(([act, weight]) => {
      upTo += weight;
      return { act: act as Act, upTo };
    });
    this.#total = upTo;
  }

  get outcome(): Outcome {
    const { browsers, terminals } = this.#world;
    return {
      exactBytes: browsers.reduce((sum, { exactBytes }) => sum + exactBytes, 0),
      snapshots: browsers.reduce((sum, { snapshots }) => sum + snapshots, 0),
      typedStreams: terminals.reduce((sum, { typed }) => sum + typed.count, 0),
      events: this.#events,
    };
  }

  /** Starts everything, and waits for the terminals' programs. */
  async begin(): Promise<void> {
    const world = this.#world;
    await this.#startAll();
    for (let count = 0; world.terminals.some(({ pty }) => !pty); count += 1) {
      if (count > 1000) throw new Error("no program was started");
      await this.#moveOn();
    }
    for (const terminal of world.terminals) {
      const viewers = this.#random.integer(1, 3);
      for (let number = 0; number < viewers; number += 1) {
        const browser = world.browse(terminal);
        if (this.#random.chance(0.7)) browser.fit(this.#random.integer(20, 50), this.#random.integer(2, 9));
        browser.open();
      }
    }
    // Some schedules break what has not even been joined yet.
    if (this.#random.chance(0.1)) return;
    for (let count = 0; count < 1000; count += 1) {
      if (world.browsers.every(({ state }) => state.phase === "connected")) return;
      await this.#moveOn();
    }
  }

  /** One event that the mix and the seed choose. */
  async step(): Promise<void> {
    const drawn = this.#random.next() * this.#total;
    const chosen = this.#acts.find(({ upTo }) => drawn < upTo);
    if (chosen) this.#act(chosen.act);
    await this.#endOfEvent();
  }

  /** Nothing breaks any more: everybody must come to have everything. */
  async settle(): Promise<void> {
    const world = this.#world;
    world.note("from here on nothing breaks");
    world.disk.full = false;
    for (const endpoint of [...world.network.endpoints]) endpoint.thaw();
    await this.#startAll();
    for (let count = 0; !this.#isSettled(); count += 1) {
      if (count > settleEvents) throw new Error(`it did not settle: ${world.describe()}`);
      for (const browser of world.browsers) {
        browser.digest();
        if (browser.state.phase === "holding") browser.answerHeld(true);
        if (browser.state.phase === "suspended" || browser.missedNextLife) browser.open();
      }
      for (const { pty } of world.terminals) if (pty) pty.inputRoom = Number.POSITIVE_INFINITY;
      await this.#moveOn();
    }
    for (const { id, typed } of world.terminals) {
      if (!typed.complete) throw new Error(`input of ${id} is missing: ${typed.describe()}`);
    }
  }

  #isSettled(): boolean {
    const { browsers, terminals } = this.#world;
    return browsers.every(({ isSettled }) => isSettled) && terminals.every(({ pty, exited }) => pty || exited);
  }

  /** Lets one thing happen that waits to happen, whatever it is; the time moves on when nothing else does. */
  async #moveOn(): Promise<void> {
    const { network, disk, time } = this.#world;
    if (network.ready.length > 0 && this.#random.chance(0.9)) this.#act("deliver");
    else if (disk.pending > 0) disk.completeOne();
    else if (this.#world.pendingDials > 0) this.#world.answerDial();
    else if (network.ready.length > 0) this.#act("deliver");
    else time.fireNext();
    await this.#endOfEvent();
  }

  /** One after the other: what one sets off belongs to it. */
  async #startAll(): Promise<void> {
    for (const part of parts) {
      this.#world.start(part);
      await this.#endOfEvent();
    }
  }

  async #endOfEvent(): Promise<void> {
    this.#events += 1;
    await settled();
    this.#world.check();
  }

  #act(act: Act): void {
    const world = this.#world;
    const random = this.#random;
    switch (act) {
      case "deliver":
        this.#deliver();
        return;
      case "disk":
        if (world.disk.pending > 0) world.disk.completeOne();
        return;
      case "timer":
        this.#fireTimers(nearMs);
        return;
      case "sleep":
        this.#fireTimers(random.chance(0.1) ? 40_000 : 1500);
        return;
      case "emit":
        this.#terminal().emit(random.integer(1, random.chance(0.3) ? 3000 : 60));
        return;
      case "flood":
        this.#terminal().emit(random.integer(3000, 24_000));
        return;
      case "read":
        this.#terminal().reads(random.chance(0.5) ? Number.POSITIVE_INFINITY : random.integer(0, 30));
        return;
      case "fullDisk":
        world.disk.full = random.chance(0.5);
        return;
      case "exit":
        this.#terminal().exit();
        return;
      case "cut":
      case "freeze":
        this.#break(act);
        return;
      case "killController":
        this.#kill("controller");
        return;
      case "killAgent":
        this.#kill("agent");
        return;
      case "killPtyHost":
        this.#kill("ptyHost");
        return;
      case "start":
        for (const part of parts) if (world.start(part)) return;
        return;
      default:
        this.#browse(act);
    }
  }

  #deliver(): void {
    const { network } = this.#world;
    const { ready } = network;
    if (this.#world.pendingDials > 0 && this.#random.chance(1 / (ready.length + 1))) this.#world.answerDial();
    else if (ready.length > 0) this.#random.pick(ready).deliverNext();
  }

  #fireTimers(aheadMs: number): void {
    const { time } = this.#world;
    if (time.nextMs !== undefined && time.nextMs <= time.now() + aheadMs) time.fireNext();
  }

  #break(how: "cut" | "freeze"): void {
    const connections = this.#world.network.connections.filter((each) => how === "cut" || each.canFreeze);
    if (connections.length === 0) return;
    const connection = this.#random.pick(connections);
    this.#world.note(`${how}: the connection of ${connection.process.name}`);
    if (how === "cut") connection.cut();
    else connection.freeze();
  }

  #kill(part: Part): void {
    this.#world.kill(part);
    if (this.#random.chance(0.5)) this.#world.start(part);
  }

  #browse(act: "type" | "digest" | "fit" | "poke" | "answer" | "reload" | "suspend"): void {
    const world = this.#world;
    const random = this.#random;
    const browser = random.pick(world.browsers);
    if (act === "type") browser.type(random.integer(1, random.chance(0.1) ? 2000 : 12));
    else if (act === "digest") browser.digest(random.integer(1, 8));
    else if (act === "fit") browser.fit(random.integer(20, 50), random.integer(2, 9));
    else if (act === "poke") browser.poke();
    else if (act === "answer") browser.answerHeld(random.chance(0.6));
    else if (act === "suspend") browser.suspendOrOpen();
    else this.#reload(browser.terminal);
  }

  /** A page goes, and another one comes. */
  #reload(terminal: SimulatedTerminal): void {
    const world = this.#world;
    if (terminal.typed.count >= maxStreams) return;
    const former = world.browsers.find((browser) => browser.terminal === terminal);
    if (former && this.#random.chance(0.7)) world.leave(former);
    world.browse(terminal).open();
  }

  #terminal(): SimulatedTerminal {
    return this.#random.pick(this.#world.terminals);
  }
}
