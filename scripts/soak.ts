/** `npm run soak`: terminals under load for some minutes, while every part between them and their viewers is killed. */
import { spawn } from "node:child_process";
import { parseArgs } from "node:util";

const usage = `usage: npm run soak -- [--minutes M] [--terminals N] [--seed S]

Starts the built Berth on containers that are processes, opens N terminals (default 50) that write for M minutes (default
5) and one that is typed into, and kills, cuts and stops every part between them and their viewers, in an order that the
seed gives: viewers' sockets, the controller, its database, the bundled Proxmox, the agent's link, the agent, its socket to
the PTY host. The PTY host is only stopped for a while, since its programs would end with it. At the end each viewer must
have every byte once, by hash, each typed byte must have arrived once, and the memory of each part must be what it was.
`;

function main(): void {
  const { values } = parseArgs({
    options: {
      minutes: { type: "string", default: "5" },
      terminals: { type: "string", default: "50" },
      seed: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(usage);
    return;
  }
  if (!(Number(values.minutes) >= 0.5 && Number(values.terminals) >= 1)) {
    throw new Error("--minutes is at least 0.5, --terminals at least 1");
  }
  const { minutes, terminals, seed } = values;
  if (seed !== undefined && !/^\d{1,10}$/.test(seed)) throw new Error("--seed is a number");
  const test = "controller/test/e2e/soak.process.e2e.test.ts";
  const child = spawn("npx", ["vitest", "run", "--project", "e2e-process", test], {
    stdio: "inherit",
    env: {
      ...process.env,
      SOAK_MINUTES: minutes,
      SOAK_TERMINALS: terminals,
      ...(seed === undefined ? {} : { SOAK_SEED: seed }),
    },
  });
  child.once("exit", (code) => {
    process.exitCode = code ?? 1;
  });
}

try {
  main();
} catch (error) {
  process.stderr.write(`soak: ${error instanceof Error ? error.message : String(error)}; try --help\n`);
  process.exitCode = 2;
}
