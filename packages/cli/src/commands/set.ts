import { getSandbox, type RouteInput, type Sandbox, updateSandbox } from "@berth/protocol";
import { type Command, Option } from "commander";
import { wrongUsage } from "../failure.ts";
import { followOperationById } from "../operation.ts";
import { argument, countOption, flag, textOption } from "../options.ts";
import { mebibytes } from "./new.ts";
import { describe, does, groups, type Run, sandboxArgument } from "./register.ts";
import { sleepAfterOf, sleepAfterOption, sleepAfterText } from "./sleep-after.ts";

type Change = RouteInput<typeof updateSandbox>["body"];

const onOff = (flags: string, text: string) => new Option(`${flags} <on|off>`, text).choices(["on", "off"]);

/** `berth set`: changes a sandbox while it lives. */
export function setCommand(run: Run): Command {
  const command = describe("set", {
    summary: "Change a sandbox: its name, its size, when it sleeps, start with its node, protection",
    more: "Cores and memory count at once, a disk only grows; what counts from the next restart on is said.",
    examples: ["berth set web --cores 4 --memory 8G", "berth set web --disk 40", "berth set web --sleep-after 2h"],
    group: groups.fleet,
  })
    .addArgument(sandboxArgument())
    .option("--name <name>", "another name")
    .option("--cores <number>", "processor cores")
    .option("--memory <size>", "in MiB, or with G")
    .option("--disk <GiB>", "size of its disk in GiB, larger than before")
    .addOption(sleepAfterOption())
    .addOption(onOff("--on-boot", "start it with its node"))
    .addOption(onOff("--protection", "refuse to destroy it"))
    .option("--no-wait", "do not wait until it is done");
  return does(command, run, async (session, at) => {
    const body = changeOf(at);
    if (Object.keys(body).length === 0) throw wrongUsage("It is not said what is to be changed.");
    const client = await session.client();
    const { signal } = session;
    let sandbox = await client.call(updateSandbox, { params: { id: argument(at, 0) }, body }, { signal });
    if (sandbox.operationId !== null && flag(at, "wait")) {
      await followOperationById(session, sandbox.operationId);
      sandbox = await client.call(getSandbox, { params: { id: sandbox.id } }, { signal });
    }
    session.output.result(sandbox, () => told(sandbox));
    return undefined;
  });
}

/** The request's body; the controller says what of it is out of bounds. */
export function changeOf(command: Command): Change {
  const change: Change = {};
  const name = textOption(command, "name");
  const cores = countOption(command, "cores");
  const memory = textOption(command, "memory");
  const diskGiB = countOption(command, "disk");
  const sleepAfter = textOption(command, "sleepAfter");
  const [onBoot, protection] = ["onBoot", "protection"].map((option) => textOption(command, option));
  if (name !== undefined) change.name = name;
  if (cores !== undefined) change.cores = cores;
  if (memory !== undefined) change.memoryMiB = mebibytes(memory);
  if (diskGiB !== undefined) change.diskGiB = diskGiB;
  if (sleepAfter !== undefined) change.sleepAfterMinutes = sleepAfterOf(sleepAfter);
  if (onBoot !== undefined) change.onBoot = onBoot === "on";
  if (protection !== undefined) change.protection = protection === "on";
  return change;
}

function told(sandbox: Sandbox): string {
  const { name, cores, memoryMiB, diskGiB, onBoot, protection, restartNeeded, drift } = sandbox;
  const sleep = sleepAfterText(sandbox.sleepAfterMinutes);
  const kept = [sleep, onBoot ? "starts with its node" : "", protection ? "protected" : ""].filter(Boolean);
  const lines = [[`${name}: ${cores} cores, ${memoryMiB} MiB, ${diskGiB} GiB`, ...kept].join(", ")];
  if (restartNeeded.length > 0) lines.push(`From the next restart on: ${restartNeeded.join(", ")}`);
  for (const { setting, wanted, found } of drift) lines.push(`${setting} is ${found} in Proxmox, not ${wanted}`);
  return `${lines.join("\n")}\n`;
}
