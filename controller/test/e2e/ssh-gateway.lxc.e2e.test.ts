import { createHash, randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { deleteKey, type Sandbox, sandboxSsh } from "@berth/protocol";
import { eventually } from "@berth/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Berth, startBerth } from "./berth.ts";
import { type SshUser, sshUser } from "./ssh-user.ts";

const hash = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

describe("SSH to a real container", () => {
  let berth: Berth;
  let sandbox: Sandbox;
  let user: SshUser;

  beforeAll(async () => {
    berth = await startBerth();
    user = await sshUser(berth);
    sandbox = await berth.readySandbox({ name: "real" });
  });
  afterAll(async () => {
    await user?.dispose();
    await berth?.dispose();
  });

  it("lands in it as its user, with sftp, rsync, forwarding and many programs at once", async () => {
    const { stdout } = await user.ssh("real", ["id -un; hostname; pwd"]);
    expect(stdout.toString()).toBe("berth\nreal\n/home/berth\n");
    const bytes = randomBytes(10_000_000);
    await writeFile(join(user.folder, "file"), bytes);
    const shell = `ssh -F ${user.configFile}`;
    expect(await user.run("rsync", ["-a", "-e", shell, "file", "real@gateway:/workspace/"])).toMatchObject({ code: 0 });
    expect((await user.run("scp", [...user.options, "real@gateway:/workspace/file", "back"])).code).toBe(0);
    const sum = await user.ssh("real", ["sha256sum", "/workspace/file"]);
    expect(sum.stdout.toString()).toContain(hash(bytes));
    const forwarded = await user.ssh("real", ["-R", "0:127.0.0.1:1", "--", "true"]);
    expect(forwarded.code).toBe(0);
    const control = `ControlPath=${join(user.folder, "control")}`;
    const master = user.start("ssh", [...user.options, "-M", "-N", "-o", control, "real@gateway"]);
    await eventually(async () => (await user.run("ssh", ["-o", control, "-O", "check", "x"])).code === 0);
    const many = Array.from({ length: 30 }, () =>
      user.run("ssh", [...user.options, "-o", control, "real@gateway", "sleep 1; echo many"]),
    );
    for (const { stdout: said } of await Promise.all(many)) expect(said.toString()).toBe("many\n");
    master.kill();
  });

  it("is jumped to, and its address is trusted by the fleet's authority", async () => {
    const { certAuthority, gatewayKnownHosts } = user.gateway;
    const trust = [gatewayKnownHosts, `@cert-authority real,${sandbox.address} ${certAuthority}`];
    await writeFile(join(user.folder, "known_hosts"), `${trust.join("\n")}\n`);
    const { user: name, port } = await berth.client.call(sandboxSsh, { params: { id: "real" } });
    expect({ name, port }).toEqual({ name: "berth", port: 22 });
    const directly = await eventually(async () => {
      const end = await user.run("ssh", [...user.options, `berth@${sandbox.address}`, "hostname"]);
      return end.code === 0 ? end : undefined;
    });
    expect(directly.stdout.toString()).toBe("real\n");
    for (const by of ["berth@gateway", "real@gateway"]) {
      const jumped = await user.run("ssh", [...user.options, "-J", by, "berth@real", "hostname"]);
      expect(jumped).toMatchObject({ code: 0 });
    }
  });

  it("takes a key away from it at once", async () => {
    const other = await sshUser(berth, { more: ["StrictHostKeyChecking no"] });
    try {
      const directly = () =>
        other.run("ssh", ["-o", "StrictHostKeyChecking=no", ...other.options, `berth@${sandbox.address}`, "true"]);
      await eventually(async () => (await directly()).code === 0);
      await berth.client.call(deleteKey, { params: { id: other.key?.id ?? "" } });
      expect((await other.ssh("real", ["true"])).code).toBe(255);
      await eventually(async () => (await directly()).stderr.includes("Permission denied"));
    } finally {
      await other.dispose();
    }
  });
});
