import { type ChildProcess, fork } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Scope } from "@berth/base";
import { temporaryDirectory } from "@berth/testkit";

const timeoutMs = 30_000;

/** Checks a message; compiled, since it may run in a process whose CPU is measured. */
interface Validator<Message> {
  Check(value: unknown): value is Message;
}

/** A part of a benchmark in a process of its own, which is given a file and orders, and answers by messages. */
export class PartnerProcess<Message extends { readonly kind: string }> {
  readonly #child: ChildProcess;
  readonly #messages: Validator<Message>;

  private constructor(child: ChildProcess, messages: Validator<Message>) {
    this.#child = child;
    this.#messages = messages;
  }

  /** Starts a program, whose only argument is a file with `description` in JSON; the scope ends it. */
  static async start<Message extends { readonly kind: string }>(
    scope: Scope,
    program: URL,
    description: object,
    messages: Validator<Message>,
  ): Promise<PartnerProcess<Message>> {
    const folder = await temporaryDirectory("berth-bench-");
    scope.add(folder.dispose);
    const file = join(folder.path, "description.json");
    await writeFile(file, JSON.stringify(description));
    const child = fork(fileURLToPath(program), [file]);
    scope.add(async () => {
      const exited = new Promise((resolve) => child.once("exit", resolve));
      if (child.exitCode === null && child.kill("SIGKILL")) await exited;
    });
    return new PartnerProcess(child, messages);
  }

  order(order: object): void {
    this.#child.send(order);
  }

  /** The next message of a kind; rejects when it does not come in time. */
  next<K extends Message["kind"]>(kind: K, boundMs = timeoutMs): Promise<Extract<Message, { kind: K }>> {
    return new Promise((resolve, reject) => {
      const settle = () => {
        clearTimeout(timer);
        this.#child.off("message", onMessage).off("exit", onExit);
      };
      const onMessage = (message: unknown) => {
        if (!this.#messages.Check(message) || !isOfKind(message, kind)) return;
        settle();
        resolve(message);
      };
      const onExit = () => {
        settle();
        reject(new Error(`the process has ended that was to tell "${kind}"`));
      };
      const timer = setTimeout(() => {
        settle();
        reject(new Error(`no "${kind}" within ${boundMs} ms`));
      }, boundMs);
      this.#child.on("message", onMessage).on("exit", onExit);
    });
  }
}

function isOfKind<Message extends { readonly kind: string }, K extends Message["kind"]>(
  message: Message,
  kind: K,
): message is Extract<Message, { kind: K }> {
  return message.kind === kind;
}
