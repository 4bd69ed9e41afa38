import { execFile } from "node:child_process";
import { close, constants, open as openDescriptor } from "node:fs";
import { rm, stat } from "node:fs/promises";
import { Socket } from "node:net";
import { promisify } from "node:util";

const run = promisify(execFile);
const open = promisify(openDescriptor);

/**
 * Listens at a pipe, until aborted; calls with each piece of text that comes. A pipe, since a watch of files would take an
 * inotify instance, of which all containers of a node share few.
 */
export async function listenAtBell(path: string, onText: (text: string) => void, signal: AbortSignal): Promise<void> {
  await makePipe(path);
  // Open for writing as well: it has no end while nobody rings.
  const fd = await open(path, constants.O_RDWR | constants.O_NONBLOCK);
  if (signal.aborted) return close(fd);
  const socket = new Socket({ fd, readable: true, writable: false });
  socket.setEncoding("utf8");
  socket.on("data", (text: string) => onText(text));
  socket.on("error", () => socket.destroy());
  await new Promise<void>((resolve) => {
    socket.once("close", resolve);
    signal.addEventListener("abort", () => socket.destroy(), { once: true });
  });
}

async function makePipe(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isFIFO()) return;
  // A hook that came before the pipe has made a file of it.
  await rm(path, { force: true });
  await run("mkfifo", ["-m", "600", path]);
}
