import { setTimeout as pause } from "node:timers/promises";
import {
  getSandbox,
  getTerminal,
  type Sandbox,
  type SandboxState,
  type Terminal,
  terminalInput,
  terminalScreen,
} from "@berth/protocol";
import { eventually, type MessagesStub, startMessagesStub } from "@berth/testkit";
import { expect } from "vitest";
import { type Berth, startBerth } from "./berth.ts";

/** The fleet's time without use. */
export const sleepAfterMs = 2_000;

/** A Berth whose sandboxes sleep soon, with a Messages API for the Claudes in them; dispose it. */
export class SleepingBerth {
  readonly berth: Berth;
  readonly stub: MessagesStub;

  private constructor(berth: Berth, stub: MessagesStub) {
    this.berth = berth;
    this.stub = stub;
  }

  static async start(): Promise<SleepingBerth> {
    const stub = await startMessagesStub();
    try {
      const { ANTHROPIC_BASE_URL = "", ANTHROPIC_AUTH_TOKEN = "" } = stub.environment;
      const sleep = { BERTH_SLEEP_AFTER: `${sleepAfterMs / 1_000}s` };
      return new SleepingBerth(await startBerth({ env: { ANTHROPIC_BASE_URL, ANTHROPIC_AUTH_TOKEN, ...sleep } }), stub);
    } catch (error) {
      await stub.dispose();
      throw error;
    }
  }

  /** What Claude needs beside where its API is. */
  get claudeEnvironment(): Record<string, string> {
    const { ANTHROPIC_BASE_URL: _url, ANTHROPIC_AUTH_TOKEN: _token, ...env } = this.stub.environment;
    return env;
  }

  seen(id: string): Promise<Sandbox> {
    return this.berth.client.call(getSandbox, { params: { id } });
  }

  async inState(id: string, state: SandboxState): Promise<void> {
    const is = async () => ((await this.seen(id)).state === state ? true : undefined);
    await eventually(is, { timeoutMs: 40_000, what: `${id} ${state}` });
  }

  /** For as long as would put any sandbox to sleep that is idle. */
  async staysReady(id: string, ms = sleepAfterMs * 2): Promise<void> {
    const until = Date.now() + ms;
    while (Date.now() < until) {
      expect(await this.seen(id)).toMatchObject({ state: "ready", operationId: null });
      await pause(250);
    }
  }

  screen({ id }: Terminal) {
    return this.berth.client.call(terminalScreen, { params: { id } });
  }

  /** Waits until it is known that Claude does this in a terminal. */
  async attention({ id }: Terminal, wanted: Terminal["attention"]): Promise<void> {
    const is = async () =>
      (await this.berth.client.call(getTerminal, { params: { id } })).attention === wanted ? true : undefined;
    await eventually(is, { timeoutMs: 20_000, what: `Claude ${wanted}` });
  }

  /** Types a line into a terminal. */
  tell({ id }: Terminal, text: string) {
    return this.berth.client.call(terminalInput, { params: { id }, query: {}, body: { text, submit: true } });
  }

  async dispose(): Promise<void> {
    await this.berth.dispose();
    await this.stub.dispose();
  }
}
