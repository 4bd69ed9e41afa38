import { wrongUsage } from "../failure.ts";

const port = /^\d{1,5}$/;
const parts =
  /^(?:(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):)?(\d{1,5})(?::(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+))?(?::(\d{1,5}))?$/;

/**
 * A forwarding as OpenSSH takes it, `bind:port:host:port`. Given is as much as one wants to say: `8080`,
 * `8080:3000`, `8080:host:3000` or `bind:8080:host:3000`; what is left out is this port and the loopback address.
 */
export function forwardSpec(text: string): string {
  const short = /^(\d{1,5}):(\d{1,5})$/.exec(text);
  if (short) return spec(text, "127.0.0.1", short[1], "127.0.0.1", short[2]);
  const match = parts.exec(text);
  if (!match) throw invalid(text);
  const [, bind = "127.0.0.1", from, host = "127.0.0.1", to = from] = match;
  return spec(text, bind, from, host, to);
}

function spec(text: string, bind: string, from: string | undefined, host: string, to: string | undefined): string {
  for (const number of [from, to]) {
    if (number === undefined || !port.test(number) || Number(number) < 1 || Number(number) > 65_535)
      throw invalid(text);
  }
  for (const name of [bind, host]) if (name.startsWith("-")) throw invalid(text);
  return `${bind}:${from}:${host}:${to}`;
}

function invalid(text: string) {
  return wrongUsage(`"${text}" is not a port to forward.`, "It looks like 8080, 8080:3000 or 8080:host:3000.");
}
