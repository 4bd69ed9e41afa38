import { parseJson, type SkippedPart } from "@berth/protocol";
import { type TemplateFacts, templateFactsSchema, templatePaths } from "@berth/template";
import { Value } from "typebox/value";
import type { SshConnection } from "../../bootstrap/connect.ts";
import { StepFailure } from "../../sandboxes/failures.ts";
import { OutputLog } from "../output-log.ts";
import { runRemote } from "../remote-command.ts";
import { inContainer } from "../session.ts";
import type { BuildStep } from "./dependencies.ts";
import { failed } from "./provision.ts";

const silenceMs = 5 * 60_000;

/** Shows that what was installed works here: a Docker container runs in this container. */
export const prove: BuildStep = async (deps, row, operation, signal) => {
  const output = new OutputLog({ ...deps, operation, step: "prove" });
  const run = (connection: SshConnection, command: string, onLine: (line: string) => void) =>
    runRemote(connection, command, { clock: deps.clock, signal, silenceMs, onLine });
  const skipped = await inContainer(deps, row, signal, async (connection) => {
    const facts = await readFacts((onLine) => run(connection, `cat /${templatePaths.facts}`, onLine));
    for (const { name, reason } of facts.skipped) output.add(`without ${name}: ${reason}`);
    if (facts.docker === null) return facts.skipped;
    const code = await run(connection, `/${templatePaths.proveDocker}`, (line) => output.add(line));
    if (code !== 0) throw dockerFails(deps.mayLackParts, output.last(), code);
    return facts.skipped;
  }).finally(() => output.end());
  const kept: SkippedPart[] = skipped.map(({ name, reason }) => ({ name, reason: reason.slice(0, 256) }));
  await deps.templates.change(row, { proved: true, skipped: JSON.stringify(kept) });
};

async function readFacts(read: (onLine: (line: string) => void) => Promise<number>): Promise<TemplateFacts> {
  const lines: string[] = [];
  await read((line) => lines.push(line));
  const facts = parseJson(lines.join("\n"));
  if (Value.Check(templateFactsSchema, facts)) return facts;
  throw new StepFailure(
    {
      code: "template_prove_failed",
      message: `The container does not say what is in it: /${templatePaths.facts} cannot be read.`,
      hint: "Build again.",
    },
    { retry: false },
  );
}

function dockerFails(bundled: boolean, said: string | undefined, code: number): StepFailure {
  const { failure } = failed("prove", "A Docker container does not run in it", said, code);
  const hint = bundled
    ? failure.hint
    : "Docker needs the container's feature nesting, which was set, and a node whose kernel and AppArmor let runc work: update Proxmox VE on that node, and build again.";
  return new StepFailure({ ...failure, ...(hint === undefined ? {} : { hint }) }, { retry: false });
}
