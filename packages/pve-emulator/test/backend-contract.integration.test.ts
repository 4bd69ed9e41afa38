import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { containerName } from "../src/backend/lxc/names.ts";
import { lxcObstacle } from "../src/backend/lxc/obstacle.ts";
import { cachedBase, openLxcBackend } from "../src/backend/lxc/open.ts";
import { ProcessBackend } from "../src/backend/process/process-backend.ts";
import { payloadFolder } from "./api-client.ts";
import { type ContractContainer, describeContract, processSubject } from "./backend-contract.ts";

const run = promisify(execFile);
const tokenSecret = "3d9cc36b-cea4-49e1-9a7f-4398c7e4adb7";
const payload = { programs: payloadFolder };

const folderOf = ({ dataDir, vmid }: ContractContainer) => join(dataDir, "containers", String(vmid), "rootfs");

describeContract("processes", {
  open: async (dataDir) => new ProcessBackend({ dataDir, tokenSecret, payload }),
  ...processSubject(folderOf),
  command(container, word) {
    const root = folderOf(container);
    return run(join(root, "usr/bin", word), { cwd: root, env: { ...process.env, BERTH_ROOT: root } });
  },
});

// Whoever has no root says so; everybody else is to know that containers are not tested.
if (process.env.BERTH_BACKEND !== "process") {
  const obstacle = await lxcObstacle();
  if (obstacle === undefined) {
    describeContract("LXC", {
      open: (dataDir) =>
        openLxcBackend({
          dataDir,
          bridge: "vmbr0",
          isolated: true,
          tokenSecret,
          base: cachedBase,
          payload,
          report: () => {},
        }),
      ...processSubject(({ pid }) => `/proc/${pid}/root`),
      command: ({ dataDir, vmid }, word) =>
        run("lxc-attach", ["-P", "/var/lib/lxc", "-n", containerName(dataDir, vmid), "--", word]),
    });
  } else {
    describe("a backend of LXC", () => {
      it("runs on this machine (BERTH_BACKEND=process leaves this out)", () => {
        expect(obstacle).toBeUndefined();
      });
    });
  }
}
