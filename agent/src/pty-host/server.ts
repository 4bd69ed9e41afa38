import { createHash } from "node:crypto";
import { chmod, realpath, rm } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { isErrno, makePrivateDirectory } from "@berth/base/node";
import { FrameReader, FrameWriter, Multiplexer, noInterface, Peer, ptyHostInterface } from "@berth/protocol/link";
import { errorText, type Log } from "../log.ts";
import type { PtyHost } from "./host.ts";
import { limits } from "./limits.ts";

/** The socket's name in `guestPaths.run`. */
export const socketName = "pty.sock";

/** A host that is served. */
export interface Serving {
  /** Ends every connection, and takes no other until `resume`. */
  pause(): void;
  resume(): void;
  stop(): Promise<void>;
}

/** Another PTY host serves this container. */
export class HostAlreadyRuns extends Error {
  override readonly name = "HostAlreadyRuns";
}

/**
 * Takes a folder for this process until it ends, however it ends; throws `HostAlreadyRuns` if another has it. An
 * abstract socket is bound by one process only and never left behind, unlike a file.
 */
export async function lockFolder(folder: string): Promise<Server> {
  await makePrivateDirectory(folder);
  const name = createHash("sha256")
    .update(await realpath(folder))
    .digest("hex");
  const lock = createServer((socket) => socket.destroy());
  try {
    await listen(lock, { path: `\0berth-pty-host-${name}` });
  } catch (error) {
    if (isErrno(error, "EADDRINUSE")) throw new HostAlreadyRuns("another PTY host serves this container");
    throw error;
  }
  return lock;
}

/**
 * The socket that systemd listens on for this process, by sd_listen_fds(3); undefined where nobody does. It outlives the
 * process, and whoever connects while there is none waits in it for the next one. The unit has it as standard input, too:
 * a Node that becomes another program closes whatever else it got at its start.
 */
export function inheritedSocket(environment: Readonly<Record<string, string | undefined>>): number | undefined {
  const isOurs = environment.LISTEN_PID === String(process.pid) && environment.LISTEN_FDS === "1";
  return isOurs ? 0 : undefined;
}

/**
 * Serves a host on the socket of a folder that this process has locked: on `inherited`, which listens there already, or
 * on one of its own that takes the place of a dead host's.
 */
export async function serve(host: PtyHost, folder: string, log: Log, inherited?: number): Promise<Serving> {
  const connections = new Set<Socket>();
  let paused = false;
  const server = createServer((socket) => {
    if (paused || connections.size >= limits.maxConnections) {
      socket.destroy();
      return;
    }
    connections.add(socket);
    socket.on("close", () => connections.delete(socket));
    serveConnection(host, socket, log);
  });
  if (inherited === undefined) await listenInFolder(server, folder);
  else await listen(server, { fd: inherited });
  const endConnections = () => {
    for (const socket of connections) socket.destroy();
  };
  return {
    pause() {
      paused = true;
      endConnections();
    },
    resume() {
      paused = false;
    },
    async stop() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      endConnections();
      await closed;
    },
  };
}

/** Serves the calls and channels of one connection until it closes. */
export function serveConnection(host: PtyHost, socket: Socket, log: Log): void {
  const writer = new FrameWriter((bytes, onWritten) => socket.write(bytes, onWritten));
  const multiplexer: Multiplexer = new Multiplexer({
    side: "listener",
    allocate: writer.allocate,
    send: writer.send,
    onControl: (message) => peer.receive(message),
    onOpen: (channel, kind, params) => host.open(channel, kind, params),
  });
  const peer = new Peer({
    local: ptyHostInterface,
    remote: noInterface,
    handlers: host.handlers,
    send: (message) => multiplexer.sendControl(message),
  });
  const reader = new FrameReader((frame) => multiplexer.receive(frame));
  const stopListening = host.onChange((status) => peer.emit("terminal", status));
  socket.on("data", (chunk) => {
    try {
      reader.push(chunk);
    } catch (error) {
      log.warn("a connection broke the link's rules and is closed", { reason: errorText(error) });
      socket.destroy();
    }
  });
  socket.on("error", () => {});
  socket.on("close", () => {
    stopListening();
    peer.close();
    multiplexer.close();
  });
}

/** Enters the folder, since a socket's path may have 107 bytes at most. */
async function listenInFolder(server: Server, folder: string): Promise<void> {
  process.chdir(folder);
  await rm(socketName, { force: true });
  // No other user may connect, not even before the mode is set.
  const mask = process.umask(0o177);
  const listening = listen(server, { path: socketName });
  process.umask(mask);
  await listening;
  await chmod(socketName, 0o600);
}

/** Resolves once the server listens. */
function listen(server: Server, where: { path: string } | { fd: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(where, () => resolve());
  });
}
