import { readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  deleteTerminal,
  getTemplate,
  getTerminal,
  guestPaths,
  listTerminals,
  parseJson,
  type Sandbox,
  type Terminal,
  terminalInput,
  terminalScreen,
} from "@berth/protocol";
import { templatePaths } from "@berth/template";
import { eventually, type MessagesStub, startMessagesStub } from "@berth/testkit";
import Type from "typebox";
import { Value } from "typebox/value";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Berth, prepareBerth } from "./berth.ts";
import { freezeFor, SshUser, unitProperty, untilRuns } from "./real-sandbox.ts";

const size = { cols: 100, rows: 30 };

describe("clones of template 150 with systemd", () => {
  let berth: Berth;
  let ssh: SshUser;
  let stub: MessagesStub;
  let one: Sandbox;
  let two: Sandbox;

  beforeAll(async () => {
    stub = await startMessagesStub();
    const { ANTHROPIC_BASE_URL = "", ANTHROPIC_AUTH_TOKEN = "", ...env } = stub.environment;
    berth = await prepareBerth({ env: { ANTHROPIC_BASE_URL, ANTHROPIC_AUTH_TOKEN } });
    await berth.start();
    ssh = await SshUser.register(berth);
    [one, two] = await Promise.all([
      berth.readySandbox({ name: "one", env }),
      berth.readySandbox({ name: "two", env }),
    ]);
  }, 300_000);
  afterAll(async () => {
    await ssh?.dispose();
    await berth?.dispose();
    await stub?.dispose();
  }, 60_000);

  const screen = async (id: string) => (await berth.client.call(terminalScreen, { params: { id } })).text;
  const type = (id: string, text: string) =>
    berth.client.call(terminalInput, { params: { id }, body: { text, submit: true } });
  const shows = (id: string, text: string | RegExp) =>
    eventually(async () => ((await screen(id).catch(() => "")).match(text) ? true : undefined), {
      timeoutMs: 60_000,
      what: `${text} on the screen`,
    });
  const inState = (id: string, state: Terminal["state"], epoch: number) =>
    eventually(
      async () => {
        const terminal = await berth.client.call(getTerminal, { params: { id } });
        if (terminal.state !== state || terminal.epoch !== epoch) throw new Error(JSON.stringify(terminal));
        return terminal;
      },
      { timeoutMs: 60_000, what: `${state} in epoch ${epoch}` },
    );
  /** A shell in a sandbox that has something to remember. */
  const shell = async (sandbox: Sandbox) => {
    const { id } = await berth.openTerminal(sandbox.id, { kind: "shell", ...size });
    await type(id, "remembered=kept; echo pid=$$");
    await shows(id, /^pid=\d+$/m);
    return id;
  };

  const hostIs = async (sandbox: Sandbox) => unitProperty(ssh, sandbox, "berth-pty-host", "ActiveState");
  const says = (sandbox: Sandbox, text: string) =>
    eventually(async () => (await unitProperty(ssh, sandbox, "berth-agent", "StatusText")).startsWith(text), {
      timeoutMs: 20_000,
      what: `the status "${text}"`,
    });

  /** Reboots a sandbox from within; resolves when its agent runs again. */
  const rebooted = async (sandbox: Sandbox) => {
    const boots = "sudo journalctl --list-boots --no-pager | wc -l";
    const count = Number(await ssh.run(sandbox, boots));
    await ssh.attempt(sandbox, "sudo systemctl reboot");
    await untilRuns(ssh, sandbox, `test $(${boots}) -gt ${count} && systemctl is-active berth-agent`);
  };

  it("have an agent that systemd knows to be ready, and no PTY host before their first terminal", async () => {
    for (const sandbox of [one, two]) {
      expect(sandbox).toMatchObject({ state: "ready", agent: { connected: true } });
      for (const unit of ["berth-agent.service", "berth-pty-host.socket"])
        expect(await unitProperty(ssh, sandbox, unit, "ActiveState")).toBe("active");
      await says(sandbox, "linked with the controller");
      expect(await hostIs(sandbox)).toBe("inactive");
      await shell(sandbox);
      expect(await hostIs(sandbox)).toBe("active");
      for (const unit of ["berth-agent", "berth-pty-host"])
        expect(await unitProperty(ssh, sandbox, unit, "NRestarts")).toBe("0");
      expect(await ssh.run(sandbox, "stat -c '%a %U' /run/berth /run/berth/pty.sock")).toBe("700 berth\n600 berth");
      expect(await ssh.run(sandbox, "systemctl --failed --plain --no-legend | cat")).toBe("");
    }
  });

  it("are of a version that the console knows, and lack what it says that they lack", async () => {
    const { version, latestVersion, outdated, skipped, builtAt } = await berth.client.call(getTemplate, {});
    expect([version, outdated]).toEqual([latestVersion, false]);
    const facts = parseJson(await ssh.run(one, `cat /${templatePaths.facts}`));
    expect(facts).toMatchObject({ version, builtAt, skipped: skipped.map(({ name }) => ({ name })) });
    const tools = { lazygit: "lazygit", lazydocker: "lazydocker", docker: "docker" };
    for (const [part, program] of Object.entries(tools)) {
      const isLacking = skipped.some(({ name }) => name === part);
      expect((await ssh.attempt(one, `command -v ${program}`)).code, program).toBe(isLacking ? 1 : 0);
    }
  });

  it("hand a terminal's program nothing of the PTY host's but its terminal", async () => {
    const { id } = await berth.openTerminal(one.id, { kind: "shell", ...size });
    await type(id, "clear; echo sockets: $(ls -l /proc/$$/fd | grep -c socket:), words: $(env | grep -c LISTEN)");
    await shows(id, /^sockets: 0, words: 0$/m);
  });

  it("have their PTY host again at once, with every terminal's last screen, however it ended", async () => {
    const endings = ["sudo systemctl kill --signal KILL berth-pty-host", "sudo systemctl stop berth-pty-host"];
    for (const ending of endings) {
      const id = await shell(two);
      await ssh.run(two, ending);
      await inState(id, "exited", 1);
      expect(await hostIs(two)).toBe("active");
      expect(await screen(id)).toMatch(/^pid=\d+$/m);
    }
  });

  it("give a terminal the life of a login, as a user with sudo", async () => {
    const { id } = await berth.openTerminal(one.id, { kind: "shell", ...size });
    await type(id, 'clear; echo "$USER $HOME $SHELL $LANG $PWD $(id -u) $(sudo id -u) $(hostname)"');
    await shows(id, "berth /home/berth /bin/bash C.UTF-8 /workspace 1000 0 one");
    // It ends nothing of Berth's.
    await type(id, "clear; pkill node; pkill -f node; echo $(node -p '6 * 7') survived");
    await shows(id, "42 survived");
    expect(await unitProperty(ssh, one, "berth-pty-host", "NRestarts")).toBe("0");
  });

  it("keep their terminals over `systemctl restart berth-agent`", async () => {
    const id = await shell(one);
    await type(id, "clear; sudo systemctl restart berth-agent; echo $remembered by $$");
    await shows(id, /kept by \d+/);
    expect(await unitProperty(ssh, one, "berth-agent", "ActiveState")).toBe("active");
  });

  it.concurrent("have a wedged agent started anew by the watchdog, and their terminals live on", async () => {
    const id = await shell(two);
    await ssh.run(two, "sudo systemctl kill --signal STOP berth-agent");
    const restarted = async () => (await unitProperty(ssh, two, "berth-agent", "NRestarts")) === "1";
    await eventually(restarted, { timeoutMs: 60_000, intervalMs: 500, what: "the watchdog's restart" });
    expect(await ssh.run(two, "sudo journalctl --unit berth-agent --no-pager")).toContain("Watchdog timeout");
    const typed = () => type(id, "clear; echo $remembered alive").then(() => true);
    await eventually(typed, { timeoutMs: 30_000, what: "the agent's return" });
    await shows(id, /^kept alive/m);
  }, 120_000);

  it.concurrent("keep their terminals over a freeze that is longer than any watchdog's time", async () => {
    const id = await shell(one);
    const host = () => unitProperty(ssh, one, "berth-pty-host", "MainPID");
    const before = await host();
    await freezeFor(berth, one, 35_000);
    // systemd kills the agent when it thaws, and this must be all.
    await untilRuns(ssh, one, "systemctl is-active berth-agent");
    const typed = () => type(id, "clear; echo $remembered through").then(() => true);
    await eventually(typed, { timeoutMs: 30_000, what: "the agent's return" });
    await shows(id, /^kept through/m);
    expect(await host()).toBe(before);
  }, 120_000);

  it("are opened by a key alone, and root has no password", async () => {
    for (const user of ["berth", "root"]) {
      expect((await ssh.attempt(one, "true", { user })).code).toBe(0);
      for (const method of ["password", "keyboard-interactive"]) {
        const options = ["PubkeyAuthentication=no", `PreferredAuthentications=${method}`];
        const refused = await ssh.attempt(one, "true", { user, options });
        expect(refused.code).toBe(255);
        expect(refused.stderr).toContain("Permission denied (publickey).");
      }
    }
    const shadow = await ssh.run(one, "sudo cut -d: -f1,2 /etc/shadow");
    expect(shadow.split("\n").filter((line) => !/:[*!]+$/.test(line))).toEqual([]);
  });

  it("have identities of their own", async () => {
    const secretOf = async (sandbox: Sandbox) => {
      const config = parseJson(await ssh.run(sandbox, `cat /${guestPaths.agentConfig}`));
      return Value.Parse(Type.Object({ secret: Type.String() }), config).secret;
    };
    const facts: Record<string, (sandbox: Sandbox) => Promise<string>> = {
      machineId: (sandbox) => ssh.run(sandbox, `cat /${guestPaths.machineId}`),
      hostKey: (sandbox) => ssh.run(sandbox, `cat /${guestPaths.sshHostKey}.pub`),
      hostname: (sandbox) => ssh.run(sandbox, "hostname"),
      secret: secretOf,
    };
    for (const [name, fact] of Object.entries(facts)) {
      const [ofOne, ofTwo] = [await fact(one), await fact(two)];
      expect(ofOne, name).not.toBe("");
      expect(ofOne, name).not.toBe(ofTwo);
    }
    const keyFiles = ["", "-cert.pub", ".pub"].map((end) => `/${guestPaths.sshHostKey}${end}`);
    expect((await ssh.run(one, "ls /etc/ssh/ssh_host_*")).split("\n")).toEqual(keyFiles);
    // The secret is for the agent's user; no other may read it.
    expect(await ssh.run(one, `stat -c '%a %U' /${guestPaths.agentConfig}`)).toBe("600 berth");
    expect(await ssh.run(one, "getent hosts one")).toMatch(/^(127\.0\.1\.1|10\.)/);
    const key = await readFile(join(await berth.rootOf(one), guestPaths.sshHostKey), "utf8");
    expect(key).toContain("BEGIN OPENSSH PRIVATE KEY");
  });

  it("fall silent where the machine-id says that they are a copy, and speak again as themselves", async () => {
    const machineId = `/${guestPaths.machineId}`;
    const become = (id: string) =>
      ssh.run(two, `echo ${id} | sudo tee ${machineId} && sudo systemctl restart berth-agent`);
    const own = await ssh.run(two, `cat ${machineId}`);
    await become("c".repeat(32));
    await says(two, "silent");
    expect(await unitProperty(ssh, two, "berth-agent", "ActiveState")).toBe("active");
    await become(own);
    await says(two, "linked");
  });

  it("come back by themselves from a reboot: Claude goes on with its conversation, and a shell has ended", async () => {
    const claude = await berth.openTerminal(one.id, { kind: "claude", ...size });
    await shows(claude.id, /^\s*❯/m);
    await type(claude.id, "say the first answer");
    await shows(claude.id, /●\s+the first answer/);
    const bash = await shell(one);

    await rebooted(one);
    await inState(claude.id, "running", 2);
    await shows(claude.id, /the first answer[\s\S]*^\s*❯/m);
    await type(claude.id, "say the second answer");
    await shows(claude.id, /●\s+the second answer/);
    expect(JSON.stringify(stub.requests.findLast(({ tools }) => tools.length > 0)?.body)).toContain("the first answer");
    expect((await inState(bash, "exited", 1)).exit).toEqual({ code: null, signal: null });
    expect(await screen(bash)).toMatch(/^pid=\d+$/m);
    expect(await hostIs(one)).toBe("active");
  }, 120_000);

  it("have no PTY host after a reboot when their terminals were removed before", async () => {
    await shell(two);
    const { items } = await berth.client.call(listTerminals, { params: { id: two.id }, query: {} });
    for (const { id } of items) await berth.client.call(deleteTerminal, { params: { id } });
    await rebooted(two);
    expect(await hostIs(two)).toBe("inactive");
  }, 120_000);

  it("say why a terminal cannot be made while the PTY host does not start, and have the next one when it does", async () => {
    const program = `/${guestPaths.programs}/pty-host.mjs`;
    await ssh.run(two, `sudo mv ${program} ${program}.away && sudo systemctl stop berth-pty-host`);
    const { id } = await berth.openTerminal(two.id, { kind: "shell", ...size });
    expect((await inState(id, "exited", 1)).title).toBe("the PTY host has not started within 9 seconds");
    // It was tried again for each of the agent's connections, which come at most once a second by then.
    const tries = await ssh.run(
      two,
      "sudo journalctl --boot --unit berth-pty-host --no-pager | grep -c 'Main process exited'",
    );
    expect(Number(tries)).toBeGreaterThan(1);
    expect(Number(tries)).toBeLessThan(60);
    await ssh.run(two, `sudo mv ${program}.away ${program}`);
    await shell(two);
    expect(await hostIs(two)).toBe("active");
  }, 120_000);
});
