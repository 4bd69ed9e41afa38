import { access, constants, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CommandFailed, run } from "./command.ts";
import { networkObstacle } from "./network/obstacle.ts";
import { lxcPath, quote } from "./start-script.ts";

/** Programs that containers need, beside those of their network, and the packages of Debian that have them. */
const programs: Readonly<Record<string, string>> = {
  "/usr/bin/lxc-start": "lxc",
  "/usr/bin/lxc-usernsexec": "lxc",
  "/usr/bin/mmdebstrap": "mmdebstrap",
  "/usr/bin/zstd": "zstd",
  "/usr/bin/perl": "perl",
  "/usr/bin/unshare": "util-linux",
  "/usr/sbin/fsfreeze": "util-linux",
  "/usr/sbin/mkfs.ext4": "e2fsprogs",
  "/usr/bin/ssh-keygen": "openssh-client",
};

/**
 * What keeps this machine from running containers of LXC, in one sentence with the cure where there is one; undefined:
 * nothing. Tries everything that is peculiar about a machine, in a mount namespace that is gone with the attempt: 0.1 s.
 */
export async function lxcObstacle(): Promise<string | undefined> {
  if (process.platform !== "linux") return "containers of LXC need Linux";
  if (process.getuid?.() !== 0) return "containers of LXC need root";
  const missing = new Set<string>();
  for (const [path, name] of Object.entries(programs)) if (!(await isProgram(path))) missing.add(name);
  if (missing.size > 0) {
    return `programs are missing that containers of LXC need (on Debian: apt-get install ${[...missing].join(" ")})`;
  }
  return (await mountObstacle()) ?? (await networkObstacle());
}

async function isProgram(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** A disk like a container's, and the containers' ids on it. */
async function mountObstacle(): Promise<string | undefined> {
  const folder = await mkdtemp(join(tmpdir(), "berth-lxc-probe-"));
  const image = quote(join(folder, "disk.img"));
  const script = `
step() { said=$("$@" 2>&1) || { echo "$meaning: $said" >&2; exit 1; }; }
meaning="this machine mounts nothing" step mount -t tmpfs none ${lxcPath}
mkdir ${lxcPath}/disk ${lxcPath}/root
truncate -s 16M ${image}
meaning="no ext4 file system can be made" step mkfs.ext4 -q -F ${image}
meaning="this machine has no loop devices" step mount -o loop ${image} ${lxcPath}/disk
mkdir ${lxcPath}/disk/lower ${lxcPath}/disk/upper ${lxcPath}/disk/work
meaning="this machine has no overlays" step mount -t overlay overlay -o lowerdir=${lxcPath}/disk/lower,upperdir=${lxcPath}/disk/upper,workdir=${lxcPath}/disk/work ${lxcPath}/root
meaning="this machine has no user namespaces" step env PATH=/usr/sbin:/sbin /usr/bin/lxc-usernsexec -m u:0:100000:65536 -m g:0:100000:65536 -- /usr/bin/true
for controller in memory pids; do
  grep -qw "^$controller\\|$controller" /proc/cgroups /sys/fs/cgroup/cgroup.controllers 2>/dev/null || { echo "this machine has no control group for $controller" >&2; exit 1; }
done
`;
  try {
    await run("unshare", ["--mount", "--propagation", "private", "--", "/bin/sh", "-c", script]);
    return undefined;
  } catch (error) {
    if (error instanceof CommandFailed) {
      const said = error.message.replace(/^(?:unshare: )+/, "").replace(/: $/, "");
      return said.replace(/^unshare failed/, "this process may make no mount namespaces");
    }
    throw error;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
