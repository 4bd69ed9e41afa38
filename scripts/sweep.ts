/** `npm run sweep`: kills and faults at every point of every flow, with real processes and real containers. */
import { spawn } from "node:child_process";
import { chmod, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { parseArgs } from "node:util";
import { isRunning, type ProcessIdentity } from "@berth/base/node";
import Type from "typebox";
import { Value } from "typebox/value";

const usage = `usage: npm run sweep -- [--backend lxc|process] [--fraction F] [--seed S] [--only REGEX]

Plays every flow (create, stop, start, restart, delete) of the built controller against the bundled Proxmox, again and
again: once for each point at which the controller is killed with SIGKILL, and once for each fault of each call of
Proxmox's. What takes a minute or more of waiting each time is left to the sweep in process, which has a clock of its own
(npx vitest run --project integration controller/test/sweep).

  --backend B    what containers are: lxc, the default, or process
  --fraction F   a share of the cases, from 0 to 1, chosen by the seed; default 1
  --seed S       chooses the cases of a fraction; default: today's date
  --only REGEX   only cases whose name fits, such as "create: after POST"
  --help         shows this
`;

function readEnvironment(): Record<string, string> | "help" {
  const { values } = parseArgs({
    options: {
      backend: { type: "string", default: "lxc" },
      fraction: { type: "string", default: "1" },
      seed: { type: "string" },
      only: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  const { backend, fraction, seed, only, help } = values;
  if (help) return "help";
  if (backend !== "lxc" && backend !== "process") throw new Error("--backend is lxc or process");
  const share = Number(fraction);
  if (!(share > 0 && share <= 1)) throw new Error("--fraction is a number above 0, at most 1");
  if (only !== undefined) new RegExp(only);
  return {
    SWEEP_BACKEND: backend,
    SWEEP_WHOLE: String(share),
    ...(seed === undefined ? {} : { SWEEP_SEED: seed }),
    ...(only === undefined ? {} : { SWEEP_ONLY: only }),
  };
}

/** Runs a command with this terminal; answers its exit code. */
function run(command: string, args: readonly string[], environment: Record<string, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: "inherit", env: { ...process.env, ...environment } });
    // The child hears of the terminal's interrupt itself and cleans up.
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => child.kill(signal));
    child.once("error", reject);
    child.once("exit", (code) => resolve(code ?? 1));
  });
}

const holderSchema = Type.Object({ pid: Type.Integer({ minimum: 1 }), started: Type.String() });

/** Stops the controllers and emulators that an interrupted run has left over folders below this one. */
async function stopLeftOver(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    // The controller first: it stops what it has started.
    for (const place of ["data/lock", "data/proxmox/lock"]) {
      const holder = await holderOf(join(folder, name, place));
      if (!holder || !isRunning(holder)) continue;
      process.kill(holder.pid, "SIGTERM");
      for (let waits = 0; waits < 300 && isRunning(holder); waits += 1) await wait(100);
    }
  }
}

async function holderOf(lock: string): Promise<ProcessIdentity | undefined> {
  const text = await readFile(lock, "utf8").catch(() => "null");
  const holder: unknown = JSON.parse(text);
  return Value.Check(holderSchema, holder) ? holder : undefined;
}

/** Runs the sweep over folders of its own, and leaves nothing of it, however it ends. */
async function sweep(environment: Record<string, string>): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), "berth-sweep-"));
  // A root's PostgreSQL runs as a user of its own, which has to pass through.
  await chmod(folder, 0o711);
  try {
    return await run("npx", ["vitest", "run", "--project", "sweep", "--reporter=verbose"], {
      ...environment,
      TMPDIR: folder,
    });
  } finally {
    await stopLeftOver(folder);
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

try {
  const environment = readEnvironment();
  if (environment === "help") {
    process.stdout.write(usage);
  } else {
    const built = await run("npx", ["turbo", "run", "build", "--output-logs=errors-only"], {});
    process.exitCode = built || (await sweep(environment));
  }
} catch (error) {
  process.stderr.write(`sweep: ${error instanceof Error ? error.message : String(error)}; try --help\n`);
  process.exitCode = 2;
}
