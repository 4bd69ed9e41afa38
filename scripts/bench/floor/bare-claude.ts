import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { claudeExecutable, claudeHome, TerminalScreen, temporaryDirectory } from "@berth/testkit";
import { spawn } from "node-pty";
import type { BenchContext } from "../benchmark.ts";

/** What Claude's screen shows once one can type. */
export const claudePrompt = /^\s*❯/m;

/**
 * Starts Claude under node-pty with nothing around it, in a home of its own as a sandbox has one; answers the
 * milliseconds until its prompt is on the screen.
 */
export async function bareClaude(
  environment: Readonly<Record<string, string>>,
  size: { readonly cols: number; readonly rows: number },
  { scope }: Pick<BenchContext, "scope">,
): Promise<number> {
  const folder = await temporaryDirectory("berth-bench-");
  scope.add(folder.dispose);
  const workspace = join(folder.path, "workspace");
  await mkdir(workspace);
  const home = await claudeHome({ path: join(folder.path, "home"), trusted: [workspace] });
  const screen = new TerminalScreen(size);
  const begun = performance.now();
  const claude = spawn(claudeExecutable(), ["--session-id", crypto.randomUUID()], {
    ...size,
    name: "xterm-256color",
    cwd: workspace,
    env: {
      PATH: process.env.PATH,
      LANG: "C.UTF-8",
      COLORTERM: "truecolor",
      DISABLE_AUTOUPDATER: "1",
      ...home,
      ...environment,
    },
    encoding: null,
  });
  const ended = new Promise<void>((resolve) => claude.onExit(() => resolve()));
  const stop = () => {
    claude.kill("SIGKILL");
    return ended;
  };
  scope.add(stop);
  // With `encoding: null` these are bytes, whatever the types say.
  claude.onData((bytes: string | Uint8Array) => screen.write(Buffer.from(bytes)));
  try {
    await screen.waitForText(claudePrompt, 30_000);
    return performance.now() - begun;
  } finally {
    await stop();
    screen.dispose();
    await folder.dispose();
  }
}
