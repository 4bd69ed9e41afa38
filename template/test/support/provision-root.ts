import { spawnSync } from "node:child_process";
import { fetchedParts } from "../../src/provision/options.ts";
import { provisionScript } from "../../src/provision/provision-script.ts";

/** Provisions the Debian below the root that is its first argument, in a chroot; the keys are the second and the third. */
const [root = "", hostPrivateKey = "", clientPublicKey = ""] = process.argv.slice(2);

/** What programs expect to find: somewhere for what they put into /run, the machine's devices, and themselves. */
const mounts =
  'root=$1; shift; mount -t tmpfs tmpfs "$root/run" && mount --rbind /dev "$root/dev" && mount -t proc proc "$root/proc" && exec "$@"';

/** Mounts and processes of its own, which end with it. */
const apart = ["--mount", "--pid", "--fork", "--kill-child", "--propagation", "private"];

const options = { optional: fetchedParts, version: "0123456789abcdef", bootstrap: { hostPrivateKey, clientPublicKey } };
const { status } = spawnSync("unshare", [...apart, "--", "sh", "-c", mounts, "sh", root, "chroot", root, "sh", "-s"], {
  input: provisionScript(options),
  stdio: ["pipe", "inherit", "inherit"],
});
process.exitCode = status ?? 1;
