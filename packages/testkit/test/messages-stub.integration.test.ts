import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Scope } from "@berth/base";
import { spawn as spawnPty } from "node-pty";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  claudeExecutable,
  claudeHome,
  eventually,
  type MessagesStub,
  scriptedResponder,
  spawnProcess,
  startMessagesStub,
  TerminalScreen,
  temporaryDirectory,
} from "../src/index.ts";

let scope: Scope;
let stub: MessagesStub;
let workspace: string;
let environment: Record<string, string>;

beforeEach(async () => {
  scope = new Scope();
  stub = await startMessagesStub({ responder: scriptedResponder({ lineDelayMs: 20 }) });
  scope.add(() => stub.dispose());
  const home = await temporaryDirectory();
  scope.add(home.dispose);
  const folder = await temporaryDirectory();
  scope.add(folder.dispose);
  workspace = folder.path;
  const settings = await claudeHome({ path: home.path, trusted: [workspace], skipPermissions: true });
  environment = { PATH: process.env.PATH ?? "", ...settings, ...stub.environment, CLAUDE_CODE_MAX_RETRIES: "0" };
});
afterEach(() => scope.dispose());

async function headless(prompt: string) {
  const args = ["-p", prompt, "--output-format", "json", "--dangerously-skip-permissions"];
  const child = spawnProcess({ command: claudeExecutable(), args, cwd: workspace, env: environment });
  scope.add(async () => {
    await child.stop();
  });
  await child.exited;
  return child.stdout;
}

test("the real CLI answers a headless prompt with what the stub says", async () => {
  expect(await headless("say forty-two")).toContain('"result":"forty-two"');
  expect(stub.requests.at(-1)?.sessionId).toMatch(/^[0-9a-f-]{36}$/);
});

test("the real CLI writes a file by the Write tool and by Bash", async () => {
  const absolute = join(workspace, "absolute.txt");
  expect(await headless(`write ${absolute} written by a tool`)).toContain("Done");
  expect((await readFile(absolute, "utf8")).trim()).toBe("written by a tool");
  expect(await headless("write relative.txt it's here")).toContain("Done");
  expect(await readFile(join(workspace, "relative.txt"), "utf8")).toBe("it's here");
});

test("the real CLI reports the error that the stub was asked for", async () => {
  for (const status of [401, 500, 529]) {
    const output = await headless(`error ${status}`);
    expect(output).toContain('"is_error":true');
    expect(output).toContain(`"api_error_status":${status}`);
  }
});

test("the real CLI streams in its terminal, and can be killed in mid-answer", async () => {
  const pty = spawnPty(claudeExecutable(), ["--dangerously-skip-permissions"], {
    cwd: workspace,
    env: { ...environment, TERM: "xterm-256color" },
    cols: 100,
    rows: 40,
  });
  const exited = new Promise<void>((resolve) => pty.onExit(() => resolve()));
  scope.add(async () => {
    pty.kill("SIGKILL");
    await exited;
  });
  const screen = new TerminalScreen({ cols: 100, rows: 40 });
  scope.add(() => screen.dispose());
  pty.onData((data) => screen.write(Buffer.from(data)));
  await screen.waitForText("❯", 15_000);
  pty.write("say hello from the stub");
  await screen.waitForText("say hello from the stub");
  pty.write("\r");
  await screen.waitForText(/● hello from the stub/, 15_000);
  pty.write("stream 1000");
  await screen.waitForText("stream 1000");
  pty.write("\r");
  await screen.waitForText(/line 5\b/, 15_000);
  pty.kill("SIGKILL");
  await eventually(() => exited.then(() => true));
  expect(screen.text()).not.toContain("line 1000");
});
