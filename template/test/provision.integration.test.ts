import { execFile, execFileSync, spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { bundledTemplateKeys } from "@berth/base/node";
import { guestPaths } from "@berth/protocol";
import { Value } from "typebox/value";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  debianBase,
  findPayload,
  parseProvisionLine,
  startedAtBoot,
  templateFactsSchema,
  templatePaths,
  unitFiles,
  units,
} from "../src/index.ts";
import { requireRoot, untested } from "./support/needs.ts";
import { describeTree } from "./support/tree.ts";
import { unpackPayload } from "./support/unpack.ts";

const run = promisify(execFile);
const keys = bundledTemplateKeys("a secret");

let folder: string;
let root: string;
let said: readonly string[];

const inRoot = (...words: readonly string[]) => execFileSync("chroot", [root, ...words], { encoding: "utf8" });

/** In a network of its own, with nothing in it: whatever is missing cannot be fetched. */
async function provision(): Promise<readonly string[]> {
  const program = join(import.meta.dirname, "support/provision-root.ts");
  const words = [process.execPath, program, root, keys.host.privateKey, keys.client.publicKey];
  const { stdout } = await run("unshare", ["--net", "--", ...words], { maxBuffer: 16 * 1024 * 1024 });
  return stdout.split("\n");
}

describe.skipIf(untested !== undefined)(
  `a Debian that is provisioned without a network (${untested ?? "as root"})`,
  () => {
    beforeAll(async () => {
      requireRoot("mmdebstrap", "unshare");
      const cacheDir = process.env.BERTH_CACHE ?? join(homedir(), ".cache/berth");
      const base = await debianBase({ cacheDir, report: () => {} });
      folder = await mkdtemp(join(tmpdir(), "berth-provision-"));
      root = join(folder, "root");
      await mkdir(root);
      await run("tar", ["--extract", "--file", base, "--directory", root, "--xattrs", "--numeric-owner"]);
      // As one who provisions by hand would have left it.
      await mkdir(join(root, "root/.ssh"), { recursive: true });
      await writeFile(join(root, "root/.ssh/authorized_keys"), "ssh-ed25519 AAAA provisioner\n");
      await writeFile(join(root, "etc/ssh/ssh_host_rsa_key"), "Debian's own");
      await writeFile(join(root, "etc/machine-id"), `${"a".repeat(32)}\n`);
      // Claude's third of a gigabyte is nothing to test here.
      await unpackPayload({ ...(await findPayload()), claude: undefined }, root);
      said = await provision();
    }, 600_000);

    afterAll(async () => {
      if (folder !== undefined) await rm(folder, { recursive: true, force: true });
    });

    it("is told about step by step, to the end", () => {
      const lines = said.map(parseProvisionLine).filter((line) => line !== undefined);
      expect(lines.flatMap((line) => (line.kind === "step" ? [line.name] : [])).slice(0, 2)).toEqual([
        "check",
        "packages",
      ]);
      expect(lines.at(-1)).toEqual({ kind: "done" });
    });

    it("has an empty machine-id, and nothing else that two clones must not share", async () => {
      expect(await readFile(join(root, guestPaths.machineId), "utf8")).toBe("");
      expect(await readdir(join(root, "var/lib/apt/lists"))).toEqual([]);
      expect(await readdir(join(root, "tmp"))).toEqual([]);
      expect(await readdir(join(root, "var/lib/docker")).catch(() => [])).toEqual([]);
    });

    it("has a user with sudo and Docker, without a password", () => {
      expect(inRoot("id", "berth")).toMatch(/^uid=1000\(berth\) gid=1000\(berth\) groups=.*\(sudo\).*\(docker\)/);
      expect(inRoot("visudo", "-c")).toContain("parsed OK");
      expect(inRoot("su", "berth", "-c", "sudo -n id -u 2>/dev/null")).toBe("0\n");
      expect(inRoot("su", "-", "berth", "-c", "node --version && npm --version && echo $PATH")).toMatch(
        /^v\d+[^\n]*\n\d+[^\n]*\n\/home\/berth\/\.local\/bin:/,
      );
    });

    it("lets nobody in by a password", async () => {
      const shadow = await readFile(join(root, "etc/shadow"), "utf8");
      for (const line of shadow.trim().split("\n")) expect(line.split(":")[1]).toMatch(/^[*!]+$/);
      await mkdir(join(root, "run/sshd"), { recursive: true });
      inRoot("sshd", "-t");
      const effective = inRoot("sshd", "-T").split("\n");
      await rm(join(root, "run/sshd"), { recursive: true });
      for (const line of ["passwordauthentication no", "kbdinteractiveauthentication no", "permitemptypasswords no"]) {
        expect(effective).toContain(line);
      }
      expect(effective).toContain(`authorizedkeysfile /${guestPaths.authorizedKeys}`);
      expect(effective.filter((line) => line.startsWith("hostkey "))).toEqual([`hostkey /${guestPaths.sshHostKey}`]);
      expect(effective.filter((line) => line.startsWith("subsystem ")).length).toBe(2);
    });

    it("knows the bootstrap's keys and no others", async () => {
      const names = await readdir(join(root, "etc/ssh"));
      expect(names.filter((name) => name.startsWith("ssh_host_")).sort()).toEqual([
        "ssh_host_ed25519_key",
        "ssh_host_ed25519_key.pub",
      ]);
      const publicKey = await readFile(join(root, `${guestPaths.sshHostKey}.pub`), "utf8");
      expect(publicKey.split(" ")[1]).toBe(keys.host.publicKey.split(" ")[1]);
      expect((await stat(join(root, guestPaths.sshHostKey))).mode & 0o777).toBe(0o600);
      expect(await readFile(join(root, guestPaths.authorizedKeys), "utf8")).toBe(`${keys.client.publicKey.trim()}\n`);
      await expect(stat(join(root, "root/.ssh"))).rejects.toThrow("ENOENT");
    });

    it("starts Berth's programs and SSH at a boot, and Docker when it is asked for", () => {
      const enabled = ["ssh.service", ...units.map(startedAtBoot)];
      for (const unit of enabled) expect(inRoot("systemctl", "is-enabled", unit)).toBe("enabled\n");
      for (const unit of ["docker.service", "ssh.socket"]) {
        expect(spawnSync("chroot", [root, "systemctl", "is-enabled", unit], { encoding: "utf8" }).stdout).not.toBe(
          "enabled\n",
        );
      }
      const paths = [
        ...units.flatMap(unitFiles).map(({ path }) => `/${path}`),
        "/etc/systemd/system/berth-docker-restart.service",
      ];
      expect(spawnSync("chroot", [root, "systemd-analyze", "verify", ...paths], { encoding: "utf8" }).stderr).toBe("");
    });

    it("says what is in it", async () => {
      const facts: unknown = JSON.parse(await readFile(join(root, templatePaths.facts), "utf8"));
      expect(Value.Check(templateFactsSchema, facts)).toBe(true);
      expect(facts).toMatchObject({ version: "0123456789abcdef" });
    });

    it("is the same when it is provisioned again", async () => {
      // When it was made is another time, and dpkg's tools keep the file before the last change.
      const without = ["berth/template.json", "passwd-", "shadow-", "group-", "gshadow-"];
      const before = await describeTree(join(root, "etc"), without);
      await provision();
      expect(await describeTree(join(root, "etc"), without)).toEqual(before);
    });
  },
);
