import {
  everyPage,
  listKeptWork,
  listKeys,
  listNodes,
  listSandboxes,
  listTerminals,
  listTokens,
} from "@berth/protocol";
import { Argument, type Command } from "commander";
import { candidates, type NameSource } from "../completion/candidates.ts";
import { completionScripts } from "../completion/scripts.ts";
import { argument } from "../options.ts";
import type { Session } from "../session.ts";
import { stateOf } from "./nodes.ts";
import { describe, does, groups, type Run } from "./register.ts";

/** A shell waits while somebody presses Tab: names that do not come by then are left out. */
const patienceMs = 1_500;

/** `berth completion`: the script that a shell reads. */
export function completionCommand(run: Run): Command {
  const command = describe("completion", {
    summary: "Print the script that lets a shell complete commands, options and sandbox names",
    examples: [
      "source <(berth completion bash)                                      # in ~/.bashrc",
      "source <(berth completion zsh)                                       # in ~/.zshrc, after compinit",
      "berth completion fish > ~/.config/fish/completions/berth.fish",
    ],
    group: groups.more,
  }).addArgument(new Argument("<shell>", "which shell").choices(Object.keys(completionScripts)));
  return does(command, run, async (session, at) => {
    const shell = argument(at, 0);
    if (shell === "bash" || shell === "zsh" || shell === "fish") {
      session.output.result({ shell, script: completionScripts[shell] }, () => completionScripts[shell]);
    }
    return undefined;
  });
}

/** What those scripts ask: the candidates for the last of the words, a line each, with a description behind a tab. */
export function completeCommand(run: Run, root: () => Command): Command {
  const command = describe("__complete", { summary: "For shells", examples: [], group: groups.more })
    .argument("[words...]")
    .helpOption(false);
  return does(command, run, async (session, at) => {
    const found = await candidates(root(), at.args, names(session));
    session.output.write(found.map(({ value, description }) => `${value}\t${description}\n`).join(""));
    return undefined;
  });
}

/** Names that only the controller knows; none where it does not answer. */
function names(session: Session): NameSource {
  const signal = AbortSignal.any([session.signal, AbortSignal.timeout(patienceMs)]);
  const quietly = async <T>(read: () => Promise<T[]>): Promise<T[]> => {
    try {
      return await read();
    } catch {
      // Nothing may be said here: the shell would show it between its own lines.
      return [];
    }
  };
  const sandboxes = () =>
    quietly(async () => {
      const client = await session.client();
      const all = await everyPage((query) => client.call(listSandboxes, { query }, { signal }));
      return all.map(({ name, state }) => ({ value: name, description: state }));
    });
  return {
    sandboxes,
    terminals: () =>
      quietly(async () => {
        const client = await session.client();
        const all = await Promise.all(
          (await sandboxes()).map(async ({ value }) => {
            const { items } = await client.call(listTerminals, { params: { id: value }, query: {} }, { signal });
            return items.map(({ id, kind }) => ({ value: id, description: `${kind} in ${value}` }));
          }),
        );
        return all.flat();
      }),
    profiles: () =>
      quietly(async () => {
        const { profiles } = await session.profiles.read();
        return Object.entries(profiles).map(([value, { url }]) => ({ value, description: url }));
      }),
    kept: () =>
      quietly(async () => {
        const client = await session.client();
        const all = await everyPage((query) => client.call(listKeptWork, { query }, { signal }));
        return all.map(({ id, sandboxName }) => ({ value: id, description: sandboxName }));
      }),
    keys: () =>
      quietly(async () => {
        const { items } = await (await session.client()).call(listKeys, { query: {} }, { signal });
        return items.map(({ id, name }) => ({ value: id, description: name }));
      }),
    tokens: () =>
      quietly(async () => {
        const { items } = await (await session.client()).call(listTokens, { query: {} }, { signal });
        return items.map(({ id, name }) => ({ value: id, description: name }));
      }),
    nodes: () =>
      quietly(async () => {
        const { items } = await (await session.client()).call(listNodes, { query: { checks: false } }, { signal });
        return items.map((node) => ({ value: node.name, description: stateOf(node) }));
      }),
  };
}
