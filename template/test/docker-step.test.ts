import { execFileSync, spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { dockerReleases, dockerRepository } from "../src/provision/docker-releases.ts";
import { dockerStep } from "../src/provision/docker-step.ts";
import { program } from "../src/provision/shell.ts";

const [newer, older] = dockerReleases.map(({ engine }) => engine);

/** A container in which every command that the step calls is a stand-in that notes how it was called. */
interface Machine {
  /** The fingerprint that gpg finds; undefined where Docker's repository cannot be reached. */
  readonly key?: string;
  /** Versions of the engine with which a container starts. */
  readonly works: readonly (string | undefined)[];
  /** Lines of dpkg about what is installed. */
  readonly installed?: string;
}

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "berth-docker-"));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

async function put(path: string, text: string, mode = 0o755): Promise<void> {
  await writeFile(join(folder, path), text, { mode });
}

/** Runs the step with everything of the system below the folder. */
async function install({ key, works, installed = "" }: Machine, optional: boolean) {
  for (const path of [
    "bin",
    "etc/apt/sources.list.d",
    "etc/apt/preferences.d",
    "run/systemd/system",
    "var/lib/docker",
  ]) {
    await mkdir(join(folder, path), { recursive: true });
  }
  const real = ["cat", "cut", "head", "mkdir", "mktemp", "rm", "sed", "chmod", "grep", "printf", "find"];
  for (const name of real) {
    const path = execFileSync("sh", ["-c", `command -v ${name}`], { encoding: "utf8" }).trim();
    await put(`bin/${name}`, `#!/bin/sh\nexec ${path.startsWith("/") ? path : `/usr/bin/${name}`} "$@"\n`);
  }
  const note = `echo "$*" >>${folder}/calls`;
  await put("bin/apt-get", `#!/bin/sh\nPATH=/usr/bin:/bin\n${note}\n`);
  await put("bin/apt-mark", `#!/bin/sh\nPATH=/usr/bin:/bin\n${note}\n`);
  await put("bin/systemctl", "#!/bin/sh\n");
  await put("bin/curl", `#!/bin/sh\n${key === undefined ? "exit 6" : `: >${folder}/etc/apt/keyrings/docker.asc`}\n`);
  await put(
    "bin/gpg",
    `#!/bin/sh\necho 'pub:-:4096:1:8D81803C0EBFCD88:1487788586:::-:::escESCA::::::23::0:'\necho 'fpr:::::::::${key}:'\n`,
  );
  await put("installed", installed, 0o644);
  await put(
    "bin/dpkg-query",
    `#!/bin/sh\nshift 2\nPATH=/usr/bin:/bin\nfor n in "$@"; do grep " $n " ${folder}/installed; done\n`,
  );
  const patterns = works.map((version) => `*'Pin: version ${version}'*) exit 0 ;;`).join(" ");
  await put(
    "prove",
    `#!/bin/sh\nPATH=/usr/bin:/bin\ncase "$(cat ${folder}/etc/apt/preferences.d/berth-docker)" in ${patterns} *) exit 1 ;; esac\n`,
  );
  const script = program([dockerStep(optional)])
    .replace(/^PATH=.*$/m, `PATH=${folder}/bin`)
    .replaceAll("/usr/lib/berth/prove-docker", join(folder, "prove"))
    .replace(/(^|[ =">])(\/etc\/|\/var\/|\/run\/)/gm, `$1${folder}$2`);
  const { status, stdout, stderr } = spawnSync("/bin/sh", ["-s"], { input: script, encoding: "utf8" });
  const calls = await readFile(join(folder, "calls"), "utf8").catch(() => "");
  return {
    status,
    stdout,
    stderr,
    engines: [...calls.matchAll(/docker-ce=(\S+)/g)].map(([, engine]) => engine),
    calls,
  };
}

describe("the step that installs Docker", () => {
  it("pins and holds the newest version that starts a container", async () => {
    const { status, stderr, engines, calls } = await install(
      { key: dockerRepository.key, works: [newer, older] },
      false,
    );
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(engines).toEqual([newer]);
    expect(calls.trim().split("\n").at(-1)).toMatch(/^hold docker-ce docker-ce-cli containerd\.io /);
    const pins = await readFile(join(folder, "etc/apt/preferences.d/berth-docker"), "utf8");
    expect(pins).toContain(`Package: docker-ce docker-ce-cli\nPin: version ${newer}\nPin-Priority: 1001\n`);
    expect(pins).toContain(`Package: containerd.io\nPin: version ${dockerReleases[0]?.containerd}\n`);
  });

  it("takes the older one where the host keeps the newest from starting a container", async () => {
    const { status, stdout, engines } = await install({ key: dockerRepository.key, works: [older] }, false);
    expect(status).toBe(0);
    expect(engines).toEqual([newer, older]);
    expect(stdout).toContain(`berth-note: Docker ${newer}`);
  });

  it("fails and says what the container and its host need where none starts one", async () => {
    const { status, stdout } = await install({ key: dockerRepository.key, works: [] }, false);
    expect(status).toBe(1);
    expect(stdout).toMatch(/berth-failed: .*nesting=1.*lxc-pve 6\.0\.5-2/);
  });

  it("fails where the repository is signed by another key, also where Docker is optional", async () => {
    const { status, stdout, engines } = await install({ key: "A".repeat(40), works: [newer] }, true);
    expect(status).toBe(1);
    expect(stdout).toContain("berth-failed: the key of Docker's repository is AAAA");
    expect(engines).toEqual([]);
  });

  it("fails where the repository cannot be reached and Docker is required", async () => {
    const { status, stdout } = await install({ works: [newer] }, false);
    expect(status).toBe(1);
    expect(stdout).toContain("berth-failed: https://download.docker.com cannot be reached");
  });

  it("takes Debian's own where the repository cannot be reached and Docker is optional, and says so", async () => {
    const { status, stdout, calls } = await install({ works: [] }, true);
    expect(status).toBe(0);
    expect(calls).toContain("install docker.io");
    expect(stdout).toContain("berth-skipped: docker-29: Docker's repository could not be reached");
  });

  it("does nothing where it has done its work before", async () => {
    const there = { key: dockerRepository.key, works: [], installed: `hi  docker-ce ${older}\n` };
    expect(await install(there, false)).toMatchObject({ status: 0, calls: "" });
    const debians = { works: [], installed: "ii  docker.io 20.10.24\n" };
    const again = await install(debians, true);
    expect(again).toMatchObject({ status: 0, calls: "" });
    expect(again.stdout).toContain("Debian's own Docker 20.10.24 is here instead");
  });
});
