import { randomUUID } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Sandbox } from "@berth/protocol";
import type { Berth } from "@berth/testkit";
import type { BenchContext } from "../benchmark.ts";
import { ownBerth } from "../whole-berth.ts";
import type { Address } from "./address.ts";

/** Options of one attach call; a viewer asks for a screen of 80 by 24 and counts its input, as the console does. */
export interface AttachWish {
  readonly from?: { readonly epoch: number; readonly offset: number };
  readonly scrollback?: number;
}

/** The processes between a viewer and a program. */
export interface BerthProcesses {
  readonly controller: number;
  readonly agent: number;
  readonly ptyHost: number;
}

/** A whole Berth with one sandbox. */
export class BerthSide {
  readonly #berth: Berth;
  readonly #sandbox: Sandbox;
  readonly processes: BerthProcesses;

  private constructor(berth: Berth, sandbox: Sandbox, processes: BerthProcesses) {
    this.#berth = berth;
    this.#sandbox = sandbox;
    this.processes = processes;
  }

  /** Starts it; the benchmark's scope ends it. */
  static async start(context: BenchContext): Promise<BerthSide> {
    const berth = await ownBerth(context);
    await berth.start();
    const sandbox = await berth.readySandbox();
    // The PTY host starts with the first terminal.
    const first = { kind: "exec" as const, argv: ["/bin/cat"], cols: 80, rows: 24 };
    await berth.openTerminal(sandbox.id, first);
    const processes = await berth.processesOf(sandbox);
    const pidOf = (name: string) => {
      // By what its launcher was started with, or in a real container by the name that it gives itself. Supervisors tell
      // more.
      const itself = new RegExp(`^(\\S+ \\S+/launch\\.mjs ${name}|berth-${name})$`);
      const found = processes.filter(({ command }) => itself.test(command));
      if (found.length !== 1 || !found[0])
        throw new Error(`${name} is not once in ${processes.map(({ command }) => command).join("; ")}`);
      return found[0].pid;
    };
    return new BerthSide(berth, sandbox, {
      controller: berth.process.pid,
      agent: pidOf("agent"),
      ptyHost: pidOf("pty-host"),
    });
  }

  /** The key and certificate of its agents' listener, for a floor that is to use the same. */
  get certificate(): string {
    return join(this.#berth.dataDir, "keys", "agent-listener.pem");
  }

  /** Writes a file into the sandbox; answers its path there. */
  async place(name: string, content: Uint8Array): Promise<string> {
    await writeFile(join(await this.#berth.rootOf(this.#sandbox), "tmp", name), content);
    return this.#berth.pathInside(this.#sandbox, `tmp/${name}`);
  }

  /** Opens a terminal; answers its id. */
  async terminal(argv: readonly string[]): Promise<string> {
    const program = { kind: "exec" as const, argv: [...argv], cols: 80, rows: 24 };
    return (await this.#berth.openTerminal(this.#sandbox.id, program)).id;
  }

  /** Where a viewer of a terminal connects. */
  viewer(terminalId: string, { from, scrollback }: AttachWish = {}): Address {
    const url = new URL(`/api/v1/terminals/${terminalId}/attach`, this.#berth.url);
    url.protocol = "ws:";
    url.search = new URLSearchParams({
      ...{ cols: "80", rows: "24", input: `${randomUUID()}:0` },
      ...(from ? { from: `${from.epoch}:${from.offset}` } : {}),
      ...(scrollback === undefined ? {} : { scrollback: String(scrollback) }),
    }).toString();
    return { url, headers: { authorization: `Bearer ${this.#berth.token}` } };
  }
}
