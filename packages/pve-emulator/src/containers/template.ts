import { templateEnvironment } from "@berth/protocol";
import { type TemplateFacts, templateNote } from "@berth/template";
import type { RawLxcKey } from "../backend/backend.ts";
import type { TemplatePlace } from "../cluster/cluster.ts";
import type { Emulation } from "../emulation.ts";
import { architecture } from "../storage/appliance.ts";
import { newContainer } from "./container.ts";
import { newMac } from "./network-cards.ts";
import { rootfsValue, volumeOf } from "./root-disk.ts";

/** Makes a template, or its disk anew when its contents have changed; clones keep theirs. */
export async function ensureTemplate(emulation: Emulation, { vmid, node, storage }: TemplatePlace): Promise<void> {
  const { site, store, backend, report } = emulation;
  const { bridge } = site;
  const built = await backend.disks.buildTemplate(vmid);
  const facts = await backend.disks.templateFacts(vmid);
  if (built) {
    report(`template ${vmid} built`);
    for (const { name, reason } of facts?.skipped ?? []) report(`template ${vmid} goes without ${name}: ${reason}`);
  }
  const keys = [...backend.templateKeys, ...contentsKeys(facts)];
  const existing = store.find(vmid);
  if (existing) {
    // The user, the port or the contents may have changed with the machine.
    const lxc = keys.map(([key, value]): [string, string] => [key, value]);
    if (JSON.stringify(existing.lxc) === JSON.stringify(lxc)) return;
    existing.lxc = lxc;
    await store.save(existing);
    return;
  }
  const values = {
    arch: architecture,
    cores: "1",
    features: "nesting=1",
    hostname: "berth-template",
    memory: "512",
    net0: `name=eth0,bridge=${bridge},hwaddr=${newMac()},ip=dhcp,type=veth`,
    ostype: "debian",
    rootfs: rootfsValue(volumeOf(storage, vmid, true), { size: "2G" }),
    swap: "512",
    template: "1",
    unprivileged: "1",
  };
  await store.onNode(node).create(newContainer(vmid, values, keys));
}

/** How a template tells of its contents, whose description is to be empty as that of a real one. */
function contentsKeys(facts: TemplateFacts | undefined): RawLxcKey[] {
  return facts ? [["lxc.environment", `${templateEnvironment.contents}=${templateNote(facts)}`]] : [];
}
