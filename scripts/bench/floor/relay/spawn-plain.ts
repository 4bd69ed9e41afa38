import { type IPty, spawn } from "node-pty";

/** A command in node-pty, as simply as can be; with `encoding: null` its data are bytes, whatever the types say. */
export function spawnPlain([command = "", ...args]: readonly string[]): IPty {
  return spawn(command, args, { cols: 80, rows: 24, name: "xterm-256color", encoding: null });
}
