import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { deleteKey, type Sandbox, sandboxSsh } from "@berth/protocol";
import { eventually, freePorts } from "@berth/testkit";
import Type from "typebox";
import { Value } from "typebox/value";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Berth, startBerth } from "./berth.ts";
import { EditorConnection, echoed, throughProxy, upgraded } from "./ssh-editor.ts";
import { type SshUser, sshUser } from "./ssh-user.ts";

const hash = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

describe("SSH to a real container", () => {
  let berth: Berth;
  let sandbox: Sandbox;
  let user: SshUser;

  beforeAll(async () => {
    berth = await startBerth({ env: { BERTH_SSH_AGENT_FORWARDING: "on" } });
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
    const variable = await user.ssh("real", ["-o", "SetEnv=ANY_WORD=pier", "--", "echo $ANY_WORD"]);
    expect(variable.stdout.toString()).toBe("pier\n");
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

  it("has an editor's server, which lives on when the connection is cut, and is the same to who comes back", async () => {
    const [proxy = 0, local = 0] = await freePorts(2);
    const first = await EditorConnection.open(user, "real", ["-D", `127.0.0.1:${proxy}`]);
    const sockets = await Promise.all(
      Array.from({ length: 3 }, async () => upgraded(await throughProxy(proxy, first.serverPort))),
    );
    const echoes = sockets.map(async (socket) => {
      const bytes = randomBytes(2_000_000);
      return (await echoed(socket, bytes)).equals(bytes);
    });
    // An editor has more than one connection: files go by one of their own, while the shell is used still.
    const files = user.run("sftp", [...user.options, "-b", "-", "real@gateway"], "put config .editor/\nls .editor\n");
    await first.runs("echo the shell is $((1 + 1))", "the shell is 2");
    expect(await Promise.all(echoes)).toEqual([true, true, true]);
    expect(await files).toMatchObject({ code: 0 });
    const asked = () =>
      user.run("curl", ["-sS", "--socks5-hostname", `127.0.0.1:${proxy}`, `http://127.0.0.1:${first.serverPort}/`]);
    await Promise.all(Array.from({ length: 20 }, asked));
    const closed = sockets.map((socket) => once(socket, "close"));
    await first.cut();
    await Promise.all(closed);

    const again = await EditorConnection.open(user, "real", ["-L", `${local}:127.0.0.1:${first.serverPort}`]);
    expect(again.serverPort).toBe(first.serverPort);
    const answer: unknown = await (await fetch(`http://127.0.0.1:${local}/`)).json();
    expect(Value.Parse(Type.Object({ served: Type.Number() }), answer).served).toBe(21);
    const socket = await upgraded(connect(local, "127.0.0.1"));
    expect((await echoed(socket, Buffer.from("again"))).toString()).toBe("again");
    socket.destroy();
    await again.runs('kill "$(cat ~/.editor/pid)" && echo it is ended', "it is ended");
    await again.cut();
  });

  it("is lent the user's agent where that is allowed, for as long as the connection lasts", async () => {
    const lent = (forwarding: string, command: string) => {
      const ssh = `ssh ${forwarding} -F ${user.configFile} -o IdentityAgent=SSH_AUTH_SOCK real@gateway`;
      const add = `ssh-add -q ${join(user.folder, "id")}`;
      return user.run("ssh-agent", ["sh", "-c", `${add} && ${ssh} "$0"`, command]);
    };
    const signs = 'echo "$SSH_AUTH_SOCK"; ssh-add -L | tee lent.pub; ssh-add -T lent.pub && echo signed';
    const { stdout, stderr } = await lent("-A", signs);
    const [socket = "", key, signed] = stdout.toString().split("\n");
    expect({ key, signed }, stderr).toEqual({ key: user.publicKey.trim(), signed: "signed" });
    expect((await user.ssh("real", [`test -e '${socket}' || echo gone`])).stdout.toString()).toBe("gone\n");
    expect((await lent("-a", 'echo "[$SSH_AUTH_SOCK]"')).stdout.toString()).toBe("[]\n");
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
