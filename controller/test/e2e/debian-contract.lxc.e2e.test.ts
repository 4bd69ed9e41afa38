import { join } from "node:path";
import { startEmulator } from "@berth/pve-emulator";
import { findPayload } from "@berth/template";
import { temporaryDirectory } from "@berth/testkit";
import { describeDebian } from "../sweep/debian-contract.ts";

describeDebian(
  "a real container of Debian",
  async () => {
    const folder = await temporaryDirectory();
    const emulator = await startEmulator({ dataDir: join(folder.path, "proxmox"), backend: "lxc", isolated: true });
    const close = async () => {
      await emulator[Symbol.asyncDispose]();
      await folder.dispose();
    };
    // Claude's third of a gigabyte makes no difference here.
    return { emulator, sshPort: 22, payload: { ...(await findPayload()), claude: undefined }, close };
  },
  120_000,
);
