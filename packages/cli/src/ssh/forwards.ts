import { createServer } from "node:net";
import { isErrno } from "@berth/base/node";
import { exitCodes } from "../exit-codes.ts";
import { CommandFailed, conflict, wrongUsage } from "../failure.ts";

const port = /^\d{1,5}$/;
const parts =
  /^(?:(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):)?(\d{1,5})(?::(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+))?(?::(\d{1,5}))?$/;

/** A port that is opened on one side, and where it leads on the other. */
export interface Forwarding {
  /** As OpenSSH takes it, `bind:port:host:port`. */
  readonly spec: string;
  /** `127.0.0.1:8080`. */
  readonly listen: string;
  readonly target: string;
}

/**
 * Reads a forwarding. Given is as much as one wants to say: `8080`, `8080:3000`, `8080:host:3000` or
 * `bind:8080:host:3000`; what is left out is this port and the loopback address. Throws `CommandFailed` for anything else.
 */
export function forwardingOf(text: string): Forwarding {
  const short = /^(\d{1,5}):(\d{1,5})$/.exec(text);
  if (short) return forwarding(text, "127.0.0.1", short[1], "127.0.0.1", short[2]);
  const match = parts.exec(text);
  if (!match) throw invalid(text);
  const [, bind = "127.0.0.1", from, host = "127.0.0.1", to = from] = match;
  return forwarding(text, bind, from, host, to);
}

function forwarding(
  text: string,
  bind: string,
  from: string | undefined,
  host: string,
  to: string | undefined,
): Forwarding {
  for (const number of [from, to]) {
    if (number === undefined || !port.test(number) || Number(number) < 1 || Number(number) > 65_535)
      throw invalid(text);
  }
  for (const name of [bind, host]) if (name.startsWith("-")) throw invalid(text);
  const [listen, target] = [`${bind}:${from}`, `${host}:${to}`];
  return { spec: `${listen}:${target}`, listen, target };
}

/** Rejects with what to do about it where this machine's side cannot be opened: ssh's own exit code does not tell that. */
export async function mustBeFree({ listen }: Forwarding): Promise<void> {
  const colon = listen.lastIndexOf(":");
  const server = createServer();
  const free = new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(Number(listen.slice(colon + 1)), listen.slice(0, colon).replace(/^\[(.*)\]$/, "$1"), resolve);
  });
  try {
    await free;
    await new Promise((resolve) => server.close(resolve));
  } catch (error) {
    throw notFree(listen, error);
  }
}

function notFree(listen: string, cause: unknown): CommandFailed {
  const hint = "PORT:THERE has another port here than there, such as 8080:80.";
  if (isErrno(cause, "EADDRINUSE")) return conflict("port_taken", `${listen} is in use on this machine.`, hint);
  const why = isErrno(cause, "EACCES") ? "this user may not open it" : String(cause);
  return new CommandFailed(
    exitCodes.failed,
    "port_refused",
    `${listen} cannot be had on this machine: ${why}.`,
    hint,
    cause,
  );
}

function invalid(text: string) {
  return wrongUsage(`"${text}" is not a port to forward.`, "It looks like 8080, 8080:3000 or 8080:host:3000.");
}
