import { Readable } from "node:stream";
import type { Failure, StepName } from "@berth/protocol";
import {
  fetchedParts,
  PayloadMissing,
  parseProvisionLine,
  payloadArchive,
  provisionScript,
  unpackCommand,
} from "@berth/template";
import { StepFailure } from "../../sandboxes/failures.ts";
import type { Contents } from "../contents.ts";
import { OutputLog } from "../output-log.ts";
import { runRemote } from "../remote-command.ts";
import { inContainer } from "../session.ts";
import type { BuildDependencies, BuildStep } from "./dependencies.ts";

/** A mirror that is slow is waited for; one that says nothing for this long is not. In milliseconds. */
const silenceMs = 10 * 60_000;
const progressEveryBytes = 25_000_000;

/** Unpacks everything of Berth's own in the container. */
export const send: BuildStep = async (deps, row, operation, signal) => {
  const { payload, version } = await contents(deps);
  const output = new OutputLog({ ...deps, operation, step: "send" });
  let told = 0;
  const onSent = (bytes: number) => {
    if (bytes - told < progressEveryBytes) return;
    told = bytes;
    output.detail(`sent ${Math.round(bytes / 1e6)} MB`);
  };
  const code = await inContainer(deps, row, signal, (connection) =>
    runRemote(connection, unpackCommand, {
      ...{ clock: deps.clock, signal, silenceMs, onSent },
      input: payloadArchive(payload),
      onLine: (line) => output.add(line),
    }),
  ).finally(() => output.end());
  if (code !== 0) throw failed("send", "What Berth puts into the template could not be unpacked", output.last(), code);
  await deps.templates.change(row, { sent: true, version });
};

/**
 * Runs the script that makes a template out of Debian. It may be repeated; one that a cut connection left running is
 * waited for. At its end it has closed every way in but the bootstrap's, which sshd is told.
 */
export const provision: BuildStep = async (deps, row, operation, signal) => {
  const { version } = await contents(deps);
  if (version !== row.version) return await deps.templates.change(row, { sent: false });
  const keys = deps.keys.templateKeys(row.id);
  const script = provisionScript({
    optional: deps.mayLackParts ? fetchedParts : [],
    version,
    bootstrap: { hostPrivateKey: keys.host.privateKey, clientPublicKey: keys.client.publicKey },
  });
  const output = new OutputLog({ ...deps, operation, step: "provision" });
  let reason: string | undefined;
  const onLine = (line: string) => {
    const meaning = parseProvisionLine(line);
    if (meaning?.kind === "step") output.detail(meaning.name);
    if (meaning?.kind === "failed") reason = meaning.reason;
    output.add(line);
  };
  const code = await inContainer(deps, row, signal, (connection) =>
    runRemote(connection, provisionCommand, {
      ...{ clock: deps.clock, signal, silenceMs, onLine },
      input: Readable.from([script]),
    }),
  ).finally(() => output.end());
  if (code !== 0) throw failed("provision", "The container could not be set up", reason ?? output.last(), code);
  await deps.templates.change(row, { provisioned: true });
};

/** Runs the script that comes in, after any other one; then sshd reads its keys anew. */
export const provisionCommand =
  "flock --wait 1200 --conflict-exit-code 75 /run/berth-provision.lock sh -s && systemctl try-restart ssh.service";

/** What this controller has to build from. Throws a `StepFailure` if that is nothing. */
async function contents({ contents: finder }: BuildDependencies): Promise<Contents> {
  try {
    return await finder.find();
  } catch (error) {
    if (!(error instanceof PayloadMissing)) throw error;
    throw new StepFailure(
      {
        code: "payload_missing",
        message: `This controller has nothing to build a template from: ${error.message}.`,
        hint: "Start it by ./scripts/start, which builds all of it.",
      },
      { retry: false, cause: error },
    );
  }
}

/** The failure of a command in the container. */
function failed(step: StepName, what: string, reason: string | undefined, code: number): StepFailure {
  const failure: Failure = {
    code: `template_${step}_failed`,
    message: `${what}: ${(reason ?? `it ended with ${code}`).replace(/\.$/, "")}.`,
    hint: `The log of the step “${step}” has what it said. When the cause is mended, build again.`,
  };
  return new StepFailure(failure, { retry: false });
}
