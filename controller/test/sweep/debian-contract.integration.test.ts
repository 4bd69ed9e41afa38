import { join } from "node:path";
import { systemClock } from "@berth/base";
import { MemoryBackend, startEmulator, subnetOf } from "@berth/pve-emulator";
import { temporaryDirectory } from "@berth/testkit";
import { describeDebian } from "./debian-contract.ts";
import { makeIngredients } from "./world/debian.ts";
import { bootGuest, guestSsh } from "./world/guest.ts";

describeDebian(
  "the sweeps' stand-in for a container of Debian",
  async () => {
    const folder = await temporaryDirectory();
    const { archive, contents } = await makeIngredients(folder.path);
    const emulator = await startEmulator({
      dataDir: join(folder.path, "proxmox"),
      baseArchive: async () => archive,
      backend: ({ dataDir, tokenSecret }) =>
        new MemoryBackend({
          ...{ clock: systemClock, tokenSecret, subnet: subnetOf(dataDir) },
          ...{ sshPort: guestSsh.port, sshUser: guestSsh.user },
          boot: (guest) => bootGuest(guest, systemClock),
        }),
    });
    const close = async () => {
      await emulator[Symbol.asyncDispose]();
      await folder.dispose();
    };
    return { emulator, sshPort: guestSsh.port, payload: (await contents.find()).payload, close };
  },
  30_000,
);
