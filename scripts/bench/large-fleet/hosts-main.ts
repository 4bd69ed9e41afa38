/** A cluster of emulated hosts whose containers are stand-ins, in a process of its own. Argument: a file. */
import { readFile } from "node:fs/promises";
import { systemClock } from "@berth/base";
import { parseJson } from "@berth/protocol";
import { MemoryBackend, startEmulator, subnetOf } from "@berth/pve-emulator";
import { Value } from "typebox/value";
import { bootGuest, guestSsh } from "../../../controller/test/sweep/world/guest.ts";
import { type HostsMessage, hostsSchema } from "./hosts-process.ts";

async function main(): Promise<void> {
  const description = parseJson(await readFile(process.argv[2] ?? "", "utf8"));
  if (!Value.Check(hostsSchema, description)) throw new Error("the hosts' description has another form");
  const { dataDir, hosts, memoryBytes } = description;
  const names = Array.from({ length: hosts }, (_, index) => `pve${index + 1}`);
  const emulator = await startEmulator({
    dataDir,
    cluster: {
      nodes: names.map((name) => ({ name, cores: 64, memoryBytes })),
      storages: [{ storage: "local-zfs", type: "zfspool" }],
      templates: names.map((node, index) => ({ vmid: 150 + index, node, storage: "local-zfs" })),
    },
    backend: ({ tokenSecret }) =>
      new MemoryBackend({
        ...{ clock: systemClock, tokenSecret, subnet: subnetOf(dataDir) },
        ...{ sshPort: guestSsh.port, sshUser: guestSsh.user },
        boot: (guest) => bootGuest(guest, systemClock),
      }),
  });
  process.once("disconnect", () => process.exit(0));
  const { nodes, token, pool } = emulator;
  const message: HostsMessage = { kind: "listening", nodes, token, pool };
  process.send?.(message);
}

await main();
