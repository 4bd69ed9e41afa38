/** The plain relay's other end: `plain-back.ts URL COMMANDS` (JSON). node-pty and the link to the front in one process. */
import { argv } from "node:process";
import { WebSocket } from "ws";
import { parseCommands } from "./commands.ts";
import { pacedSend } from "./paced-send.ts";
import { spawnPlain } from "./spawn-plain.ts";

const [url = "", commands = ""] = argv.slice(2);

for (const [index, command] of parseCommands(commands).entries()) {
  const link = new WebSocket(`${url}/${index}`, { perMessageDeflate: false });
  link.once("open", () => {
    const pty = spawnPlain(command);
    pty.onData(pacedSend(pty, link));
    link.on("message", (bytes: Buffer) => pty.write(bytes));
    link.once("close", () => process.exit(0));
  });
}
