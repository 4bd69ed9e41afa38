/**
 * `npm run dev`: the controller from its sources, restarted when they change, beside Vite's server for the console,
 * which passes `/api` on to it. Agents and the bundled Proxmox run from their bundles: build those once.
 */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
if (!existsSync(`${root}/agent/dist/agent.mjs`)) {
  console.error("berth: build the agent first: npm run build -w @berth/agent");
  process.exit(1);
}

const commands: [string, string[]][] = [
  [process.execPath, ["--watch", "--watch-preserve-output", "controller/src/main.ts"]],
  [process.execPath, ["node_modules/vite/bin/vite.js", "web", "--clearScreen", "false"]],
];
const children = commands.map(([command, args]) => spawn(command, args, { cwd: root, stdio: "inherit" }));

let ending = false;
function end(code: number): void {
  if (ending) return;
  ending = true;
  process.exitCode = code;
  for (const child of children) child.kill("SIGTERM");
}
for (const child of children) child.on("exit", (code) => end(code ?? 1));
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => end(0));
