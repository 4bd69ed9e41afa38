/** Prints "passed failed" of a vitest report in JSON. A report that is not there, or counts nothing, is a failure. */
import { readFileSync } from "node:fs";
import { argv } from "node:process";

const report: unknown = JSON.parse(readFileSync(argv[2] ?? "", "utf8"));

function count(name: string): number {
  const value = typeof report === "object" && report !== null ? Reflect.get(report, name) : undefined;
  return typeof value === "number" ? value : 0;
}

const passed = count("numPassedTests");
const failed = count("numFailedTests");
console.log(passed, passed + failed === 0 ? 1 : failed);
