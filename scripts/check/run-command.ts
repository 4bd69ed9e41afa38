import { spawn } from "node:child_process";

/** What a check found: nothing when it passed. */
export type Findings = readonly string[];

/** Runs a program; its output is the finding when it fails. */
export function runCommand(root: string, command: string, args: readonly string[]): Promise<Findings> {
  return new Promise((resolve) => {
    const env = { ...process.env, TURBO_TELEMETRY_DISABLED: "1" };
    const child = spawn(command, args, { cwd: root, env, stdio: ["ignore", "pipe", "pipe"] });
    const output: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => output.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => output.push(chunk));
    child.once("error", (error) => resolve([`${command}: ${error.message}`]));
    child.once("close", (code) => {
      resolve(code === 0 ? [] : [Buffer.concat(output).toString("utf8").trimEnd() || `${command} ended with ${code}`]);
    });
  });
}
