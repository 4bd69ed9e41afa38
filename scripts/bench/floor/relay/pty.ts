/** The floor's PTY host: `pty.ts SOCKET COMMANDS` (JSON). Runs each command in node-pty for the one who connects. */
import { createServer } from "node:net";
import { argv } from "node:process";
import { parseCommands } from "./commands.ts";
import { maxWaitingBytes } from "./paced-send.ts";
import { spawnPlain } from "./spawn-plain.ts";

const [socketPath = "", commands = ""] = argv.slice(2);
const listening = parseCommands(commands).map((command, index) => {
  const server = createServer((socket) => {
    const pty = spawnPlain(command);
    pty.onData((bytes: string | Uint8Array) => {
      socket.write(bytes);
      if (socket.writableLength > maxWaitingBytes) pty.pause();
    });
    socket.on("drain", () => pty.resume());
    socket.on("data", (bytes) => pty.write(bytes));
    socket.once("close", () => process.exit(0));
  });
  return new Promise<void>((resolve) => server.listen(`${socketPath}.${index}`, resolve));
});
await Promise.all(listening);
process.stdout.write("listening\n");
