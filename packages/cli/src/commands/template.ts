import { buildTemplate, getTemplate, randomKey, type TemplateWish } from "@berth/protocol";
import type { Command } from "commander";
import { countOption, textOption } from "../options.ts";
import type { Session } from "../session.ts";
import { tellOperation } from "./fleet.ts";
import { describe, does, groups, type Run } from "./register.ts";

/** `berth template`: what sandboxes are cloned from, and how it is built. */
export function templateCommand(run: Run): Command {
  const command = describe("template", {
    summary: "Show the container that sandboxes are cloned from, or build a new one",
    examples: ["berth template", "berth template build", "berth template build --node pve2 --storage local-zfs"],
    group: groups.more,
  });
  does(command.command("show", { isDefault: true }).description("Show it"), run, show);
  const build = command
    .command("build")
    .description("Build a template beside the present one; new sandboxes are cloned from it when it is done")
    .option("--node <name>", "the Proxmox host to build it on")
    .option("--storage <name>", "the storage of its disk")
    .option("--bridge <name>", "the bridge that it is built on")
    .option("--vmid <id>", "its id")
    .option("--no-wait", "do not wait until it is done");
  does(build, run, async (session, at) => {
    const call = { signal: session.signal, idempotencyKey: `build-${randomKey()}` };
    const { operation } = await (await session.client()).call(buildTemplate, { body: wishOf(at) }, call);
    await tellOperation(session, at, operation);
    return undefined;
  });
  return command;
}

function wishOf(command: Command): TemplateWish {
  const [node, storage, bridge] = ["node", "storage", "bridge"].map((name) => textOption(command, name));
  const vmid = countOption(command, "vmid");
  return {
    ...(node === undefined ? {} : { node }),
    ...(storage === undefined ? {} : { storage }),
    ...(bridge === undefined ? {} : { bridge }),
    ...(vmid === undefined ? {} : { vmid }),
  };
}

async function show(session: Session): Promise<undefined> {
  const { output, signal } = session;
  const template = await (await session.client()).call(getTemplate, {}, { signal });
  output.result(template, () => {
    const place = template.node === null ? "" : ` on ${template.node}`;
    const lines = [`template ${template.vmid}${place}: ${template.state}`];
    if (template.version !== null) lines.push(`version ${template.version}${template.outdated ? ", outdated" : ""}`);
    for (const { name, reason } of template.skipped) lines.push(`without ${name}: ${reason}`);
    if (template.error) lines.push(template.error.message, ...(template.error.hint ? [template.error.hint] : []));
    if (template.outdated) lines.push("Build a new one with berth template build.");
    return `${lines.join("\n")}\n`;
  });
  return undefined;
}
