/** The floor's agent: `back.ts URL PEM SOCKET`. Dials the front over TLS and the PTY's process over a Unix socket. */
import { readFileSync } from "node:fs";
import { Agent } from "node:https";
import { connect } from "node:net";
import { argv } from "node:process";
import { WebSocket } from "ws";

const [url = "", pem = "", socketPath = ""] = argv.slice(2);
// As in Berth: the one certificate is trusted, and its name does not matter.
const agent = new Agent({ ca: readFileSync(pem), checkServerIdentity: () => undefined });
const link = new WebSocket(url, { agent, perMessageDeflate: false });
link.once("open", () => {
  const pty = connect(socketPath);
  pty.on("data", (bytes) => link.send(bytes, { binary: true }));
  link.on("message", (bytes: Buffer) => pty.write(bytes));
  link.once("close", () => process.exit(0));
});
