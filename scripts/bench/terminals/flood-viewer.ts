import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Scope } from "@berth/base";
import { Value } from "typebox/value";
import type { Address } from "./address.ts";
import { type FloodOrder, type FloodReport, floodReportSchema } from "./flood-messages.ts";

const program = fileURLToPath(new URL("./flood-viewer-main.ts", import.meta.url));
const timeoutMs = 30_000;

/** Somebody who looks at a flood, in a process of its own. */
export class FloodViewer {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  /** Attaches to a terminal whose program waits for its first key. The scope ends it. */
  static open(scope: Scope, address: Address): Promise<FloodViewer> {
    return FloodViewer.#open(scope, address, false);
  }

  /** Attaches to a terminal that floods already. */
  static join(scope: Scope, address: Address): Promise<FloodViewer> {
    return FloodViewer.#open(scope, address, true);
  }

  static async #open(scope: Scope, { url, headers }: Address, joins: boolean): Promise<FloodViewer> {
    const child = fork(program);
    const viewer = new FloodViewer(child);
    scope.add(async () => {
      const exited = new Promise((resolve) => child.once("exit", resolve));
      if (child.exitCode === null && child.kill("SIGKILL")) await exited;
    });
    await viewer.#ask({ kind: "open", url: url.href, headers: { ...headers }, joins }, "open");
    return viewer;
  }

  async start(): Promise<void> {
    await this.#ask({ kind: "start" }, "started");
  }

  /** Resolves when the prompt has come. */
  async interrupt(): Promise<void> {
    await this.#ask({ kind: "interrupt" }, "stopped");
  }

  async stall(): Promise<void> {
    await this.#ask({ kind: "stall" }, "stalled");
  }

  /** Takes again what arrives. Answers how long it took, in milliseconds, until it had the present screen. */
  async goOn(): Promise<number> {
    return (await this.#ask({ kind: "go-on" }, "caught-up")).ms;
  }

  #ask<K extends FloodReport["kind"]>(order: FloodOrder, kind: K): Promise<Extract<FloodReport, { kind: K }>> {
    return new Promise((resolve, reject) => {
      const settle = () => {
        clearTimeout(timer);
        this.#child.off("message", onMessage).off("exit", onExit);
      };
      const onMessage = (report: unknown) => {
        if (!Value.Check(floodReportSchema, report) || !isOfKind(report, kind)) return;
        settle();
        resolve(report);
      };
      const fail = (why: string) => {
        settle();
        reject(new Error(`the viewer of a flood ${why}`));
      };
      const onExit = () => fail("has ended");
      const timer = setTimeout(() => fail(`did not say "${kind}"`), timeoutMs);
      this.#child.on("message", onMessage).on("exit", onExit);
      this.#child.send(order);
    });
  }
}

function isOfKind<K extends FloodReport["kind"]>(
  report: FloodReport,
  kind: K,
): report is Extract<FloodReport, { kind: K }> {
  return report.kind === kind;
}
