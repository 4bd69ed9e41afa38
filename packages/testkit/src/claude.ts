import { mkdir, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

/** The path of the pinned Claude CLI for this machine, a native executable. */
export function claudeExecutable(): string {
  const platform = `claude-code-${process.platform}-${process.arch}`;
  const require = createRequire(import.meta.url);
  return join(dirname(require.resolve(`@anthropic-ai/${platform}/package.json`)), "claude");
}

export interface ClaudeHomeOptions {
  /** Folder that becomes the CLI's home; made if needed. */
  readonly path: string;
  /** Folders that need no trust dialog. */
  readonly trusted: readonly string[];
  /** For tests that run tools without anybody who permits them; `IS_SANDBOX=1` allows it to root. */
  readonly skipPermissions?: boolean;
}

/** Prepares a home for the Claude CLI in which it starts without any dialog; answers what must be in its environment. */
export async function claudeHome(options: ClaudeHomeOptions): Promise<Record<string, string>> {
  const configuration = join(options.path, ".claude");
  await mkdir(configuration, { recursive: true });
  const projects = Object.fromEntries(options.trusted.map((folder) => [folder, { hasTrustDialogAccepted: true }]));
  const settings = { hasCompletedOnboarding: true, bypassPermissionsModeAccepted: true, projects };
  await writeFile(join(configuration, ".claude.json"), JSON.stringify(settings), { mode: 0o600 });
  return {
    HOME: options.path,
    CLAUDE_CONFIG_DIR: configuration,
    ...(options.skipPermissions ? { IS_SANDBOX: "1" } : {}),
  };
}
