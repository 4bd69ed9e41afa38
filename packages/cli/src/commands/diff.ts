import { gitDiff, gitPatch } from "@berth/protocol";
import type { Command } from "commander";
import { argument, countOption, flag, textOption } from "../options.ts";
import type { Style } from "../output/style.ts";
import type { Session } from "../session.ts";
import { describe, does, groups, type Run, sandboxArgument } from "./register.ts";

/** `berth diff`: what has changed in a repository of a sandbox's workspace. */
export function diffCommand(run: Run): Command {
  const command = describe("diff", {
    summary: "Show what has changed in a sandbox's repository",
    more: "As the patch that git writes, to be applied elsewhere by git apply; with --json by file and hunk.",
    examples: [
      "berth diff web",
      "berth diff web src --staged",
      "berth diff web --base main | git apply",
      "berth diff web --json | jq -r '.files[].path'",
    ],
    group: groups.files,
  })
    .addArgument(sandboxArgument())
    .argument("[path]", "a file or folder below the workspace")
    .option("--staged", "what is staged, against the last commit")
    .option("--base <branch>", "against where the branch left this one")
    .option("-U, --context <lines>", "lines around each change");
  return does(command, run, showDiff);
}

async function showDiff(session: Session, command: Command): Promise<undefined> {
  const { output, signal } = session;
  const controller = await session.controller();
  const input = { params: { id: argument(command, 0) }, query: queryOf(command) };
  if (output.json) {
    const diff = await controller.client.call(gitDiff, input, { signal });
    output.result(diff, () => "");
    return undefined;
  }
  const { body } = await controller.stream(gitPatch, input, { signal });
  if (!body) return undefined;
  if (output.stdout.isTTY !== true) {
    // The very bytes: a patch may hold any.
    for await (const chunk of body) output.stdout.write(chunk);
    return undefined;
  }
  for await (const line of linesOf(body)) output.write(`${shown(line, output.style)}\n`);
  return undefined;
}

function queryOf(command: Command) {
  const [, path] = command.args;
  const base = textOption(command, "base");
  const context = countOption(command, "context");
  return {
    ...(path === undefined ? {} : { path }),
    ...(flag(command, "staged") ? { staged: true } : {}),
    ...(base === undefined ? {} : { base }),
    ...(context === undefined ? {} : { context }),
  };
}

async function* linesOf(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<string, void, void> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of bytes) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
  if (rest !== "") yield rest;
}

/** A line of a patch for eyes: files of a sandbox may hold control sequences, of which only tabs are let through. */
export function shown(line: string, style: Style): string {
  const text = line.replaceAll(/[^\P{Cc}\t]/gu, "\ufffd");
  if (/^(diff |index |--- |\+\+\+ |rename |similarity |new file|deleted file)/.test(text)) return style("bold", text);
  if (text.startsWith("@@")) return style("cyan", text);
  if (text.startsWith("+")) return style("green", text);
  return text.startsWith("-") ? style("red", text) : text;
}
