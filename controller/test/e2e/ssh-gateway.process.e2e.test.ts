import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import {
  deleteKey,
  listSshSessions,
  type Sandbox,
  type SshSession,
  sandboxSsh,
  startSandbox,
  stopSandbox,
} from "@berth/protocol";
import { eventually, freePorts } from "@berth/testkit";
import { spawn } from "node-pty";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Berth, startBerth } from "./berth.ts";
import { type SshUser, sshUser } from "./ssh-user.ts";

const mebibyte = 1024 * 1024;
const hash = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

describe("the SSH gateway", () => {
  let berth: Berth;
  let sandbox: Sandbox;
  let user: SshUser;
  let root: string;
  /** The home folder of whoever signs in, as this machine sees it. */
  let home: string;

  beforeAll(async () => {
    berth = await startBerth();
    user = await sshUser(berth);
    sandbox = await berth.readySandbox({ name: "web" });
    root = await berth.rootOf(sandbox);
    home = (await user.ssh("web", ["printf", "%s", "$HOME"])).stdout.toString();
  });
  afterAll(async () => {
    await user?.dispose();
    await berth?.dispose();
  });

  /** What is written down of sessions, once the newest of them has ended. */
  const newestSession = (login: string) =>
    eventually(async () => {
      const { items } = await berth.client.call(listSshSessions, {});
      return items.find((item: SshSession) => item.login === login && item.endedAt !== null);
    });

  it("runs a program in the sandbox of that name, and ends as it ends", async () => {
    const ran = await user.ssh("web", ['echo out; echo err >&2; printf %s "$BERTH_ROOT"; exit 42']);
    expect({ ...ran, stdout: ran.stdout.toString() }).toEqual({ code: 42, stdout: `out\n${root}`, stderr: "err\n" });
    expect((await user.ssh("web", ["kill -TERM $$"])).code).toBe(255);
    expect((await user.ssh(sandbox.id, ["true"])).code).toBe(0);
  });

  it("carries 100 MB in and out, byte for byte", { timeout: 120_000 }, async () => {
    const bytes = randomBytes(100 * mebibyte);
    const { stdout } = await user.ssh("web", ["cat"], bytes);
    expect({ length: stdout.length, hash: hash(stdout) }).toEqual({ length: bytes.length, hash: hash(bytes) });
    const { items } = await berth.client.call(listSshSessions, { query: { sandbox: "web" } });
    const session = items.find(({ bytesIn }) => bytesIn >= bytes.length) ?? (await newestSession("web"));
    expect(session).toMatchObject({ login: "web", sandboxName: "web", remoteAddress: "127.0.0.1" });
    expect(session.client).toMatch(/^OpenSSH_/);
  });

  it("goes on to write when the program has read to the end, and the other way round", async () => {
    const late = await user.ssh("web", ["cat >/dev/null; sleep 0.3; echo after the end"], "something");
    expect(late.stdout.toString()).toBe("after the end\n");
    const closes = await user.ssh("web", ["exec >&-; cat > got; sync"], "read on");
    expect(closes.code).toBe(0);
    expect(await readFile(join(home, "got"), "utf8")).toBe("read on");
  });

  it("gives a shell a terminal of the client's size, follows its changes, and passes variables", async () => {
    const { PATH = "" } = process.env;
    const args = [...user.options, "-o", "SetEnv=LC_WORD=harbour BERTH_TEST_WORD=pier", "web@gateway"];
    const pty = spawn("ssh", args, {
      cols: 91,
      rows: 31,
      name: "xterm-256color",
      env: { PATH, HOME: user.folder, TERM: "xterm-256color" },
    });
    let text = "";
    pty.onData((data) => {
      text += data;
    });
    const shows = (what: RegExp) => eventually(() => what.test(text), { timeoutMs: 20_000, what: String(what) });
    await shows(/[$#] $/);
    pty.write("stty size; echo $TERM-$LC_WORD-$BERTH_TEST_WORD\r");
    await shows(/31 91\s+xterm-256color-harbour-pier/);
    pty.resize(120, 40);
    pty.write("sleep 0.2; stty size\r");
    await shows(/40 120/);
    pty.write("sleep 100\r");
    await shows(/sleep 100/);
    pty.write("\x03");
    pty.write("exit 7\r");
    const code = await new Promise<number>((resolve) => pty.onExit(({ exitCode }) => resolve(exitCode)));
    expect(code).toBe(7);
  });

  it("carries sftp, scp and rsync", async () => {
    const bytes = randomBytes(3 * mebibyte);
    const odd = " -odd \u00fc name";
    await writeFile(join(user.folder, odd), bytes);
    const sftp = await user.run("sftp", [...user.options, "-b", "-", "web@gateway"], `put "${odd}" "by sftp"\nls -l\n`);
    expect(sftp).toMatchObject({ code: 0 });
    const scp = await user.run("scp", [...user.options, `./${odd}`, "web@gateway:by-scp"]);
    expect(scp).toMatchObject({ code: 0, stderr: "" });
    const legacy = await user.run("scp", [...user.options, "-O", `./${odd}`, "web@gateway:by-old-scp"]);
    expect(legacy).toMatchObject({ code: 0 });
    const shell = `ssh -F ${user.configFile}`;
    const rsync = await user.run("rsync", ["-a", "-e", shell, `./${odd}`, "web@gateway:by-rsync"]);
    expect(rsync).toMatchObject({ code: 0, stderr: "" });
    for (const name of ["by sftp", "by-scp", "by-old-scp", "by-rsync"]) {
      expect(hash(await readFile(join(home, name))), name).toBe(hash(bytes));
    }
    const back = await user.run("scp", [...user.options, "web@gateway:by-rsync", "back"]);
    expect(back.code).toBe(0);
    expect(hash(await readFile(join(user.folder, "back")))).toBe(hash(bytes));
  });

  it("forwards ports both ways, with ends that close one direction first", async () => {
    const server = createServer((request, response) => request.pipe(response));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    const port = address !== null && typeof address === "object" ? address.port : 0;
    const [local, remote] = await freePorts(2);
    const forwards = ["-L", `${local}:127.0.0.1:${port}`, "-R", `127.0.0.1:${remote}:127.0.0.1:${port}`];
    const ssh = user.start("ssh", [
      ...user.options,
      "-N",
      "-o",
      "ExitOnForwardFailure=yes",
      ...forwards,
      "web@gateway",
    ]);
    for (const through of [local, remote]) {
      const body = randomBytes(mebibyte);
      const answer = await eventually(() =>
        fetch(`http://127.0.0.1:${through}/`, { method: "POST", body }).catch(() => undefined),
      );
      expect(hash(new Uint8Array(await answer.arrayBuffer()))).toBe(hash(body));
    }
    // A client that has said all and still listens.
    const socket = connect({ port: local ?? 0, host: "127.0.0.1", allowHalfOpen: true });
    socket.end("POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 4\r\n\r\nhalf");
    let text = "";
    for await (const bytes of socket) text += String(bytes);
    expect(text).toMatch(/\r\n\r\n(?:4\r\n)?half/);
    ssh.kill();
    await once(ssh, "close");
    const session = await eventually(async () => {
      const { items } = await berth.client.call(listSshSessions, {});
      return items.find(({ channels }) => channels["remote-forward"] === 1);
    });
    expect(session.channels).toMatchObject({ "direct-tcpip": 2, "forwarded-tcpip": 1 });
    server.close();
  });

  it("carries what editors do over one connection: a script by standard input, a SOCKS proxy, files, many at once", async () => {
    const control = join(user.folder, "control");
    const [proxy] = await freePorts(1);
    const master = user.start("ssh", [
      ...user.options,
      ...["-M", "-S", control, "-N", "-D", `127.0.0.1:${proxy}`, "web@gateway"],
    ]);
    await eventually(async () => (await user.run("ssh", ["-S", control, "-O", "check", "x"])).code === 0);
    const over = ["-o", `ControlPath=${control}`, ...user.options];
    const script = await user.run("ssh", [...over, "web@gateway", "bash"], 'echo "script: $((6 * 7))"; uname\n');
    expect(script.stdout.toString()).toBe("script: 42\nLinux\n");
    const server = createServer((_request, response) => response.end("through the proxy"));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    const port = address !== null && typeof address === "object" ? address.port : 0;
    const curl = ["-sS", "--socks5-hostname", `127.0.0.1:${proxy}`, `http://127.0.0.1:${port}/`];
    expect((await user.run("curl", curl)).stdout.toString()).toBe("through the proxy");
    server.close();
    const ends = await Promise.all(
      Array.from({ length: 40 }, async (_, index) => {
        const bytes = randomBytes(100_000);
        const { stdout, code } = await user.run("ssh", [...over, "web@gateway", `cat; exit ${index}`], bytes);
        return code === index && hash(stdout) === hash(bytes);
      }),
    );
    expect(ends.every(Boolean)).toBe(true);
    await mkdir(join(home, "tree"), { recursive: true });
    const files = await user.run("sftp", [...over, "-b", "-", "web@gateway"], "put config tree/\nls tree\n");
    expect(files).toMatchObject({ code: 0 });
    master.kill();
  });

  it("goes on through new keys while much is under way", async () => {
    const bytes = randomBytes(20 * mebibyte);
    const { stdout, code } = await user.ssh("web", ["-o", "RekeyLimit=1M", "--", "cat"], bytes);
    expect({ code, hash: hash(stdout) }).toEqual({ code: 0, hash: hash(bytes) });
  });

  it("is jumped through, by the sandbox's own name and host key", async () => {
    const known = await berth.client.call(sandboxSsh, { params: { id: "web" } });
    const hosts = [user.gateway.gatewayKnownHosts, known.knownHosts, `web ${known.hostKey}`];
    await writeFile(join(user.folder, "known_hosts"), `${hosts.join("\n")}\n`);
    for (const by of ["berth@gateway", "web@gateway"]) {
      for (const port of ["22", String(known.port)]) {
        const through = await user.run("ssh", [
          ...user.options,
          "-J",
          by,
          "-p",
          port,
          `${known.user}@web`,
          "echo over",
        ]);
        expect(`${by} ${port} ${through.stdout}${through.stderr}`).toBe(`${by} ${port} over\n`);
      }
    }
    const elsewhere = await user.run("ssh", [...user.options, "-J", "berth@gateway", "x@127.0.0.1", "true"]);
    expect(elsewhere.code).toBe(255);
    const jumps = await eventually(async () => {
      const { items } = await berth.client.call(listSshSessions, { query: { sandbox: "web" } });
      const found = items.filter(({ login, endedAt }) => login === "berth" && endedAt !== null);
      return found.length === 2 ? found : undefined;
    });
    for (const jump of jumps) {
      expect(jump).toMatchObject({ sandboxId: sandbox.id, sandboxName: "web", channels: { jump: 1 } });
      // A handshake and a program's output, as ciphertext.
      expect(Math.min(jump.bytesIn, jump.bytesOut)).toBeGreaterThan(1000);
    }
  });

  it("lists the sandboxes, and names them to who asks for another", async () => {
    const list = await user.ssh("berth", []);
    expect(list).toMatchObject({ code: 0 });
    expect(list.stdout.toString()).toBe("web  ready\n");
    const none = await user.ssh("nosuch", ["true"]);
    expect(none).toMatchObject({ code: 255, stderr: 'berth: you have no sandbox called "nosuch".\nweb  ready\n\n' });
    const nonsense = await user.ssh("../x", ["true"]);
    expect(nonsense.stderr).toContain('berth: you have no sandbox called "../x".');
  });

  it("lends no agent unless it may", async () => {
    const agent = await user.run("ssh-agent", [
      "sh",
      "-c",
      `ssh-add ${join(user.folder, "id")} 2>/dev/null
      ssh -A -F ${user.configFile} -o IdentityAgent=SSH_AUTH_SOCK web@gateway 'echo "[$SSH_AUTH_SOCK]"'`,
    ]);
    expect(agent.stdout.toString()).toBe("[]\n");
  });

  it("refuses a key that is not registered, and ends what a removed one has open", async () => {
    const stranger = await sshUser(berth, { registered: false });
    const known = await sshUser(berth);
    try {
      expect(await stranger.ssh("web", ["true"])).toMatchObject({
        code: 255,
        stderr: expect.stringContaining("Permission denied (publickey)"),
      });
      const open = known.start("ssh", [...known.options, "web@gateway", "echo here; sleep 100"]);
      await once(open.stdout, "data");
      let told = "";
      open.stderr.on("data", (bytes: Buffer) => {
        told += bytes.toString();
      });
      await berth.client.call(deleteKey, { params: { id: known.key?.id ?? "" } });
      const [code] = await once(open, "close");
      expect({ code, told }).toMatchObject({ code: 255, told: expect.stringContaining("was removed") });
      expect(await known.ssh("web", ["true"])).toMatchObject({ code: 255 });
      expect((await user.ssh("web", ["true"])).code).toBe(0);
    } finally {
      await stranger.dispose();
      await known.dispose();
    }
  });

  it("refuses a sandbox that shows another host key, and says so", async () => {
    const file = join(root, "etc/ssh/ssh_host_ed25519_key");
    const own = await readFile(file);
    await user.run("sh", ["-c", `rm -f other other.pub; ssh-keygen -q -t ed25519 -N '' -f other; cat other > ${file}`]);
    const reload = `kill -HUP "$(cat ${join(root, "run/sshd.pid")})"`;
    await user.run("sh", ["-c", reload]);
    try {
      const refused = await eventually(async () => {
        const end = await user.ssh("web", ["true"]);
        return end.code === 0 ? undefined : end;
      });
      expect(refused.code).toBe(255);
      expect(refused.stderr).toContain('is not the one that the sandbox "web" was given');
    } finally {
      await writeFile(file, own);
      await user.run("sh", ["-c", reload]);
    }
    await eventually(async () => (await user.ssh("web", ["true"])).code === 0);
  });

  it("says that a sandbox stops in the middle, and that it is stopped", async () => {
    const open = user.start("ssh", [...user.options, "web@gateway", "echo here; sleep 100"]);
    await once(open.stdout, "data");
    let told = "";
    open.stderr.on("data", (bytes: Buffer) => {
      told += bytes.toString();
    });
    const { operation } = await berth.client.call(stopSandbox, { params: { id: "web" } });
    const [code] = await once(open, "close");
    expect({ code, told }).toMatchObject({ code: 255, told: expect.stringContaining('the sandbox "web" has ended') });
    await berth.ended(operation.id);
    const refused = await user.ssh("web", ["true"]);
    expect(refused).toMatchObject({ code: 255, stderr: 'berth: The sandbox "web" is stopped: start it first.\n' });
    const started = await berth.client.call(startSandbox, { params: { id: "web" } });
    await berth.ended(started.operation.id);
    expect((await user.ssh("web", ["true"])).code).toBe(0);
  });

  it("ends its sessions in order when the controller stops, and is the same gateway afterwards", async () => {
    const open = user.start("ssh", [...user.options, "web@gateway", "echo here; sleep 100"]);
    await once(open.stdout, "data");
    let told = "";
    open.stderr.on("data", (bytes: Buffer) => {
      told += bytes.toString();
    });
    const ended = once(open, "close");
    await berth.stop();
    expect((await ended)[0]).toBe(255);
    expect(told).toContain("Berth stops: connect again in a moment");
    await berth.start();
    await eventually(async () => (await user.ssh("web", ["true"])).code === 0, { timeoutMs: 60_000 });
    const { items } = await berth.client.call(listSshSessions, {});
    expect(items.filter(({ endReason }) => endReason?.startsWith("Berth stops"))).toHaveLength(1);
  });
});
