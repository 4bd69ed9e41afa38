import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseJson } from "@berth/protocol";
import { type SpawnedProcess, spawnProcess, temporaryDirectory } from "@berth/testkit";
import Type from "typebox";
import { Value } from "typebox/value";
import type { BenchContext } from "../benchmark.ts";

const portsSchema = Type.Object({ viewerPort: Type.Integer(), linkPort: Type.Integer() });

/** A relay that runs. */
export interface BareRelay {
  /** Where the viewer of each command's terminal connects, once; the command starts then. */
  readonly urls: readonly URL[];
  /** Its processes. */
  readonly pids: readonly number[];
}

/**
 * The least that Berth's shape takes: the same hops in as many processes (WebSocket → relay → WebSocket over TLS →
 * relay → Unix socket → node-pty) and no feature at all but that no hop lets more than 1 MiB wait. `pem` is a file with
 * a key and its certificate.
 */
export async function startBareRelay(
  { scope }: Pick<BenchContext, "scope">,
  pem: string,
  commands: readonly (readonly string[])[],
): Promise<BareRelay> {
  const folder = await temporaryDirectory("berth-bench-");
  scope.add(folder.dispose);
  const socket = join(folder.path, "pty");
  const count = String(commands.length);
  const pty = startProgram({ scope }, "pty", [socket, JSON.stringify(commands)]);
  await pty.waitForLine("listening");
  const front = startProgram({ scope }, "front", [count, pem]);
  const { viewerPort, linkPort } = await portsOf(front);
  const back = startProgram({ scope }, "back", [`wss://127.0.0.1:${linkPort}`, pem, socket, count]);
  return { urls: urlsAt(viewerPort, commands.length), pids: [front.pid, back.pid, pty.pid] };
}

/** The same without TLS and with node-pty in the process of the second hop: two hops, two processes. */
export async function startPlainRelay(
  { scope }: Pick<BenchContext, "scope">,
  commands: readonly (readonly string[])[],
): Promise<BareRelay> {
  const front = startProgram({ scope }, "front", [String(commands.length)]);
  const { viewerPort, linkPort } = await portsOf(front);
  const back = startProgram({ scope }, "plain-back", [`ws://127.0.0.1:${linkPort}`, JSON.stringify(commands)]);
  return { urls: urlsAt(viewerPort, commands.length), pids: [front.pid, back.pid] };
}

function startProgram({ scope }: Pick<BenchContext, "scope">, program: string, args: readonly string[]) {
  const path = fileURLToPath(new URL(`./relay/${program}.ts`, import.meta.url));
  const child = spawnProcess({ command: process.execPath, args: [path, ...args] });
  scope.add(async () => {
    child.kill("SIGKILL");
    await child.exited;
  });
  return child;
}

async function portsOf(front: SpawnedProcess): Promise<{ viewerPort: number; linkPort: number }> {
  const ports = parseJson(await front.waitForLine("{"));
  if (!Value.Check(portsSchema, ports)) throw new Error("the bare relay tells its ports in another form");
  return ports;
}

function urlsAt(port: number, count: number): URL[] {
  return Array.from({ length: count }, (_, index) => new URL(`ws://127.0.0.1:${port}/${index}`));
}
