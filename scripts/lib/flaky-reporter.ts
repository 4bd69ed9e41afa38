/** Names, at a run's end, the tests that passed only when they were run again, and why they did not at first. */
import { stderr } from "node:process";
import type { Reporter, TestModule } from "vitest/node";

export default class FlakyReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    for (const module of modules) {
      for (const test of module.children.allTests()) {
        if (!test.diagnostic()?.flaky) continue;
        const causes = (test.result().errors ?? []).map(({ message }) => message.split("\n")[0]);
        stderr.write(
          `passed only at the second go: ${module.relativeModuleId} > ${test.fullName}: ${causes.join("; ")}\n`,
        );
      }
    }
  }
}
