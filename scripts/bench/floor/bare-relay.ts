import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseJson } from "@berth/protocol";
import { type SpawnedProcess, spawnProcess, temporaryDirectory } from "@berth/testkit";
import Type from "typebox";
import { Value } from "typebox/value";
import type { BenchContext } from "../benchmark.ts";

const portsSchema = Type.Object({ viewerPort: Type.Integer(), linkPort: Type.Integer() });

/**
 * The least that Berth's shape takes: the same hops in as many processes (WebSocket → relay → WebSocket over TLS →
 * relay → Unix socket → node-pty) and no feature at all. `pem` is a file with a key and its certificate. Answers the
 * viewer's address.
 */
export async function startBareRelay(
  { scope }: Pick<BenchContext, "scope">,
  pem: string,
  argv: readonly string[],
): Promise<string> {
  const folder = await temporaryDirectory("berth-bench-");
  scope.add(folder.dispose);
  const socket = join(folder.path, "pty.sock");
  const start = (program: string, args: readonly string[]): SpawnedProcess => {
    const path = fileURLToPath(new URL(`./relay/${program}.ts`, import.meta.url));
    const child = spawnProcess({ command: process.execPath, args: [path, ...args] });
    scope.add(async () => {
      child.kill("SIGKILL");
      await child.exited;
    });
    return child;
  };
  await start("pty", [socket, ...argv]).waitForLine("listening");
  const ports = parseJson(await start("front", [pem]).waitForLine("{"));
  if (!Value.Check(portsSchema, ports)) throw new Error("the bare relay tells its ports in another form");
  start("back", [`wss://127.0.0.1:${ports.linkPort}`, pem, socket]);
  return `ws://127.0.0.1:${ports.viewerPort}`;
}
