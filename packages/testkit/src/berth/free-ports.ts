import { randomInt } from "node:crypto";
import { createServer } from "node:net";

/** Below Linux's ephemeral ports (32768 and up), which any outgoing connection may take at any moment. */
const range = { first: 20_000, last: 32_000 } as const;

/** Different ports of loopback that nobody listened on a moment ago. */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = randomInt(range.first, range.last);
    if (await isFree(port)) ports.add(port);
  }
  return [...ports];
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
