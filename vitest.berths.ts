import { stderr } from "node:process";
import { lastWords } from "@berth/testkit";
import { beforeEach } from "vitest";

/** Of each stream of each program. */
const lines = 40;

/** What Berth itself wrote says more of most failures than what the test saw of it. */
beforeEach(({ task, onTestFailed }) => {
  onTestFailed(() => {
    const words = lastWords(lines);
    if (words !== "")
      stderr.write(`\n"${task.name}" failed, and these were the last words of its programs:\n${words}\n`);
  });
});
