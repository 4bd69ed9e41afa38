/**
 * Every static check: `npm run check`, or `npm run check -- layers types` for some. One line a check; the findings of
 * those that failed come last, and the exit code is 1.
 */
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { type Check, checks } from "./check/checks.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !checks.some((check) => check.name === name));
if (unknown.length > 0) {
  console.error(`no such check: ${unknown.join(", ")}; there are: ${checks.map(({ name }) => name).join(", ")}`);
  process.exit(2);
}
const waiting = checks.filter(({ name }) => wanted.length === 0 || wanted.includes(name));
const failures: string[] = [];

async function runOne(check: Check): Promise<void> {
  const started = performance.now();
  const findings = await check.run(root).catch((error: unknown) => [String(error)]);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`${findings.length === 0 ? "ok  " : "FAIL"} ${check.name.padEnd(18)} ${seconds.padStart(6)} s`);
  if (findings.length > 0) failures.push(`\n--- ${check.name}\n${findings.join("\n")}`);
}

async function work(): Promise<void> {
  for (let check = waiting.shift(); check; check = waiting.shift()) await runOne(check);
}

await Promise.all(Array.from({ length: Math.max(1, availableParallelism()) }, work));
for (const failure of failures) console.error(failure);
process.exitCode = failures.length > 0 ? 1 : 0;
