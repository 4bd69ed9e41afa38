/**
 * The floor's agent: `back.ts URL PEM SOCKET COUNT`. For each terminal it dials the front over TLS and the PTYs' process
 * over a Unix socket.
 */
import { readFileSync } from "node:fs";
import { Agent } from "node:https";
import { connect } from "node:net";
import { argv } from "node:process";
import { WebSocket } from "ws";
import { pacedSend } from "./paced-send.ts";

const [url = "", pem = "", socketPath = "", count = "1"] = argv.slice(2);
const ca = readFileSync(pem);

for (let index = 0; index < Number(count); index += 1) {
  // As in Berth: the one certificate is trusted, and its name does not matter.
  const agent = new Agent({ ca, checkServerIdentity: () => undefined });
  const link = new WebSocket(`${url}/${index}`, { agent, perMessageDeflate: false });
  link.once("open", () => {
    const pty = connect(`${socketPath}.${index}`);
    const send = pacedSend(pty, link);
    pty.on("data", send);
    link.on("message", (bytes: Buffer) => pty.write(bytes));
    link.once("close", () => process.exit(0));
  });
}
