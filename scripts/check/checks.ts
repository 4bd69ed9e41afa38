import { tooLongFiles } from "./file-length.ts";
import { layerViolations } from "./layers.ts";
import { moduleFacts } from "./module-facts.ts";
import { type Findings, runCommand } from "./run-command.ts";
import { shellUses } from "./shells.ts";
import { sourceFiles } from "./sources.ts";

/** One static check of the repository. */
export interface Check {
  readonly name: string;
  run(root: string): Promise<Findings>;
}

const sources = ["*.ts", "*.tsx"];

/** Every static check, the slowest first. */
export const checks: readonly Check[] = [
  // Turbo keeps the results by contents, so only what changed is looked at again.
  {
    name: "types",
    run: (root) => runCommand(root, "npx", ["turbo", "run", "types", "--continue", "--output-logs=errors-only"]),
  },
  { name: "types of scripts", run: (root) => runCommand(root, "npx", ["tsc", "-p", "scripts"]) },
  { name: "unused code", run: (root) => runCommand(root, "npx", ["knip", "--no-progress"]) },
  { name: "format and lint", run: (root) => runCommand(root, "npx", ["biome", "ci", "--colors=off", "."]) },
  { name: "layers", run: layers },
  { name: "file length", run: async (root) => tooLongFiles(await sourceFiles(root, ...sources, "*.css")) },
  { name: "shells", run: async (root) => shellUses(await sourceFiles(root, ...sources)) },
  { name: "shell scripts", run: shellScripts },
];

async function layers(root: string): Promise<Findings> {
  const files = await sourceFiles(root, ...sources);
  const violations = layerViolations(files.map(({ path, text }) => moduleFacts(path, text)));
  return violations.map(({ path, message }) => `${path} ${message}`);
}

async function shellScripts(root: string): Promise<Findings> {
  const files = await sourceFiles(root, "scripts", ".ci", "template", "*.sh");
  const scripts = files.filter(({ path, text }) => path.endsWith(".sh") || /^#!.*\b(ba)?sh\b/.test(text));
  return runCommand(root, "shellcheck", ["--external-sources", ...scripts.map(({ path }) => path)]);
}
