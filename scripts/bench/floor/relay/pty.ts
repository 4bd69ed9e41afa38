/** The floor's PTY host: `pty.ts SOCKET COMMAND ARGS...`. Runs the command in node-pty for the one who connects. */
import { createServer } from "node:net";
import { argv } from "node:process";
import { spawn } from "node-pty";

const [socketPath = "", command = "", ...args] = argv.slice(2);
const server = createServer((socket) => {
  const pty = spawn(command, args, { cols: 80, rows: 24, name: "xterm-256color", encoding: null });
  // With `encoding: null` these are bytes, whatever the types say.
  pty.onData((bytes: string | Uint8Array) => socket.write(bytes));
  socket.on("data", (bytes) => pty.write(bytes));
  socket.once("close", () => process.exit(0));
});
server.listen(socketPath, () => process.stdout.write("listening\n"));
