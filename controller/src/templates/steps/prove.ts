import { parseJson, type SkippedPart } from "@berth/protocol";
import { type TemplateFacts, templateFactsSchema, templatePaths } from "@berth/template";
import { Value } from "typebox/value";
import { StepFailure } from "../../sandboxes/failures.ts";
import { runRemote } from "../remote-command.ts";
import { inContainer } from "../session.ts";
import type { BuildStep } from "./dependencies.ts";

const silenceMs = 60_000;

/**
 * Shows that the container is what clones have to be: the bootstrap's keys, and no others, open it, and it says what is
 * in it. The provisioning has run a Docker container in it before it closed the other ways in; to run one more here
 * would leave traces of it in every clone.
 */
export const prove: BuildStep = async (deps, row, operation, signal) => {
  const lines: string[] = [];
  await inContainer(deps, row, signal, (connection) =>
    runRemote(connection, `cat /${templatePaths.facts}`, {
      ...{ clock: deps.clock, signal, silenceMs },
      onLine: (line) => lines.push(line),
    }),
  );
  const { version, docker, skipped } = readFacts(lines);
  const say = (text: string) => deps.journal.log(operation, "prove", "berth", text);
  await say("signed in with the bootstrap's key; the host key is the bootstrap's");
  await say(docker === null ? "it has no Docker" : `Docker ${docker} has run a container in it`);
  for (const { name, reason } of skipped) await say(`without ${name}: ${reason}`);
  if (version !== row.version || (docker === null && !deps.mayLackParts)) throw incomplete(version, docker);
  const kept: SkippedPart[] = skipped.map(({ name, reason }) => ({ name, reason: reason.slice(0, 256) }));
  await deps.templates.change(row, { proved: true, skipped: JSON.stringify(kept) });
};

function readFacts(lines: readonly string[]): TemplateFacts {
  const facts = parseJson(lines.join("\n"));
  if (Value.Check(templateFactsSchema, facts)) return facts;
  throw incomplete(undefined, null);
}

function incomplete(version: string | undefined, docker: string | null): StepFailure {
  const flaw =
    version === undefined
      ? `it does not say what is in it (/${templatePaths.facts})`
      : docker === null
        ? "it has no Docker"
        : `it says that it is the version ${version}`;
  return new StepFailure(
    {
      code: "template_prove_failed",
      message: `The container is not what was to be made: ${flaw}.`,
      hint: "Build again; the log of the step “provision” says what was done.",
    },
    { retry: false },
  );
}
