import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { Clock } from "@berth/base";
import { errorText, type Log } from "./log.ts";

const run = promisify(execFile);

/** What a service manager is told, by the names of sd_notify(3). */
export interface ServiceState {
  READY?: "1";
  STOPPING?: "1";
  WATCHDOG?: "1";
  /** One line for `systemctl status`. */
  STATUS?: string;
}

/** Who started this program and wants to hear of it: systemd, by `Type=notify`. */
export interface ServiceManager {
  /**
   * Tells something; what has not gone out yet is told together, the latest of each name. A status alone may wait for
   * what is told next, or for ten seconds. Never throws.
   */
  tell(state: ServiceState): void;
  /**
   * Answers the manager's watchdog for as long as the work goes on: `turns` must grow, if not from each look to the next
   * then within `maxSilentLooks`. An event loop that is blocked answers nothing either. Answers how to stop.
   */
  keepAlive(turns: () => number): () => void;
}

/** Brings words to the manager: `NAME=VALUE` each. */
export type SendNotification = (words: readonly string[]) => Promise<void>;

/**
 * Looks without progress after which the watchdog goes unanswered. Looks are counted, not time: that of a container which
 * is frozen goes on. The link's own longest wait, after a refusal, takes seven.
 */
const maxSilentLooks = 12;
const notifyTimeoutMs = 5000;
/**
 * How long a status waits for company, in milliseconds: a link that comes right after the start, or that comes and goes,
 * is not worth a process each time, since many sandboxes start at once on few processors.
 */
const statusWaitMs = 10_000;

export interface ServiceManagerOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly send?: SendNotification;
}

/** The manager that an environment names; without one, nothing is told and nothing costs anything. */
export function serviceManager(
  environment: Readonly<Record<string, string | undefined>>,
  options: ServiceManagerOptions,
): ServiceManager {
  if (!environment.NOTIFY_SOCKET) return { tell: () => {}, keepAlive: () => () => {} };
  const watchdogUs = Number(environment.WATCHDOG_USEC ?? "0");
  return new SystemdManager(Number.isSafeInteger(watchdogUs) ? watchdogUs / 1000 : 0, options);
}

class SystemdManager implements ServiceManager {
  readonly #watchdogMs: number;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #send: SendNotification;
  #pending: ServiceState | undefined;
  #sending = false;
  #failed = false;
  /** Ends the wait of a status. */
  #waiting: AbortController | undefined;

  constructor(watchdogMs: number, { clock, log, send = systemdNotify }: ServiceManagerOptions) {
    this.#watchdogMs = watchdogMs;
    this.#clock = clock;
    this.#log = log;
    this.#send = send;
  }

  tell(state: ServiceState): void {
    this.#pending = { ...this.#pending, ...state };
    if (isUrgent(this.#pending)) this.#sendNow();
    else if (!this.#waiting) void this.#sendLater();
  }

  keepAlive(turns: () => number): () => void {
    const stopped = new AbortController();
    if (this.#watchdogMs > 0) void this.#answerWatchdog(turns, stopped.signal);
    return () => stopped.abort();
  }

  async #answerWatchdog(turns: () => number, signal: AbortSignal): Promise<void> {
    let seen = turns();
    for (let silentLooks = 0; ; ) {
      // A third, so that one answer may come late on a busy machine.
      await this.#clock.sleep(this.#watchdogMs / 3, signal).catch(() => {});
      if (signal.aborted) return;
      const now = turns();
      silentLooks = now === seen ? silentLooks + 1 : 0;
      seen = now;
      if (silentLooks <= maxSilentLooks) this.tell({ WATCHDOG: "1" });
      else if (silentLooks === maxSilentLooks + 1)
        this.#log.error("the work stands still: the watchdog is not answered");
    }
  }

  #sendNow(): void {
    this.#waiting?.abort();
    this.#waiting = undefined;
    if (!this.#sending) void this.#sendAll();
  }

  async #sendLater(): Promise<void> {
    const waiting = new AbortController();
    this.#waiting = waiting;
    await this.#clock.sleep(statusWaitMs, waiting.signal).catch(() => {});
    if (!waiting.signal.aborted) this.#sendNow();
  }

  #due(): ServiceState | undefined {
    return this.#waiting ? undefined : this.#pending;
  }

  /** One message at a time: a child that is slow must not be overtaken, nor have many beside it. */
  async #sendAll(): Promise<void> {
    this.#sending = true;
    for (let state = this.#due(); state; state = this.#due()) {
      this.#pending = undefined;
      try {
        await this.#send(Object.entries(state).map(([name, value]) => `${name}=${value.replaceAll(/\s+/g, " ")}`));
        this.#failed = false;
      } catch (error) {
        if (!this.#failed) this.#log.error("the service manager could not be told", { reason: errorText(error) });
        this.#failed = true;
      }
    }
    this.#sending = false;
  }
}

function isUrgent(state: ServiceState): boolean {
  return Object.keys(state).some((name) => name !== "STATUS");
}

/** Node has no datagram sockets of Unix; systemd's own tool waits until its message was taken. */
async function systemdNotify(words: readonly string[]): Promise<void> {
  await run("systemd-notify", [...words], { timeout: notifyTimeoutMs, killSignal: "SIGKILL" });
}
