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
  if (await backend.disks.buildTemplate(vmid)) report(`template ${vmid} built`);
  const existing = store.find(vmid);
  if (existing) {
    // The user or the port may have changed with the machine.
    const lxc = backend.templateKeys.map(([key, value]): [string, string] => [key, value]);
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
  await store.onNode(node).create(newContainer(vmid, values, backend.templateKeys));
}
