import { isRunning } from "@berth/base/node";
import { blocks, type LxcProcesses, signalProcess, untilEnded } from "./running-container.ts";

/** SIGRTMIN+3, by which systemd halts. */
const haltSignal = 37;
const haltRetryMs = 1000;
const listenPollMs = 20;

/** Asks systemd to halt. Early in its boot it does not listen yet, and is asked again. */
export async function halt({ init, monitor }: LxcProcesses, timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  while (performance.now() < deadline && !signal?.aborted) {
    const listens = blocks(init.pid, haltSignal);
    if (listens) signalProcess(init, haltSignal);
    const wait = Math.min(listens ? haltRetryMs : listenPollMs, deadline - performance.now());
    if (await untilEnded(monitor, wait, signal)) return true;
  }
  return !isRunning(monitor);
}
