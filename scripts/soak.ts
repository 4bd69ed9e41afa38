/** `npm run soak`: terminals under load for some minutes, while every part between them and their viewers is killed. */
import { spawn } from "node:child_process";
import { parseArgs } from "node:util";

const usage = `usage: npm run soak -- [--minutes M] [--terminals N]

Starts the built Berth on containers that are processes, opens N terminals (default 50) that write for M minutes (default
5), and kills the controller and the agent, and stops the agent for a while, again and again. At the end each viewer must
have every byte once, by hash, and the PTY host's memory must be what it was.
`;

function main(): void {
  const { values } = parseArgs({
    options: {
      minutes: { type: "string", default: "5" },
      terminals: { type: "string", default: "50" },
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
  const test = "controller/test/e2e/soak.process.e2e.test.ts";
  const child = spawn("npx", ["vitest", "run", "--project", "e2e-process", test], {
    stdio: "inherit",
    env: { ...process.env, SOAK_MINUTES: values.minutes, SOAK_TERMINALS: values.terminals },
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
