import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { chmodSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { bootstrapRequestText, guestPaths } from "@berth/protocol";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import {
  CommandsBetween,
  done,
  layOutClone,
  machineId,
  ownKey,
  program,
  request,
  runBootstrap,
  templateKey,
} from "./support/bootstrap.ts";
import { endProgram, temporaryRoot } from "./support/pty-host.ts";

/** Why what needs root is not tested; only whoever says that containers are not to be tested is obeyed. */
const untested = process.env.BERTH_BACKEND === "process" ? "BERTH_BACKEND=process" : undefined;

/**
 * The machine as a container would be: a name of its own, and in place of some folders those of the clone. Says at last
 * what the container is called.
 */
const inContainer = `set -e
root=$1
PATH=\${PATH#*:} hostname "$2"
mount --bind "$root/etc" /etc
mount --bind "$root/run" /run
mount -t overlay overlay -o "lowerdir=$root/usr:/usr" /usr
status=0
sh "$3" || status=$?
cat /proc/sys/kernel/hostname >"$root/named"
exit $status`;

const passwd = "root:x:0:0:root:/root:/bin/bash\nberth:x:1234:1235::/home/berth:/bin/bash\n";

describe.skipIf(untested !== undefined)(`the bootstrap in a container (${untested ?? "as root"})`, () => {
  let folder: ReturnType<typeof temporaryRoot>;
  let root: string;
  let between: CommandsBetween;
  let sshd: ChildProcess;

  beforeAll(() => {
    const { status, stderr } = spawnSync("unshare", ["--mount", "--uts", "true"], { encoding: "utf8" });
    if (status !== 0) throw new Error(`these tests need root (BERTH_BACKEND=process leaves them out): ${stderr}`);
  });

  beforeEach(() => {
    folder = temporaryRoot();
    chmodSync(folder.path, 0o755);
    root = join(folder.path, "root");
    between = new CommandsBetween(folder.path);
    between.add("systemctl", `#!/bin/sh\nprintf 'systemctl %s\\n' "$*" >>"$CALLS"\n`);
    layOutClone(root);
    writeFileSync(join(root, "etc/passwd"), passwd);
    writeFileSync(join(root, "etc/hosts"), "127.0.0.1\tlocalhost\n");
    // Ends of a SIGHUP.
    sshd = spawn("sleep", ["300"]);
    writeFileSync(join(root, "run/sshd.pid"), `${sshd.pid}\n`);
  });

  afterEach(async () => {
    await endProgram(sshd, "SIGKILL");
    folder.remove();
  });

  const read = (path: string) => readFileSync(join(root, path), "utf8");

  /** Runs it in a container with this name; answers with what was called. */
  async function run(name = "one", wanted = request): Promise<readonly string[]> {
    const apart = ["unshare", "--mount", "--uts", "--propagation", "private", "sh", "-c", inContainer] as const;
    const ended = await runBootstrap(bootstrapRequestText(wanted), between.environment(), [
      ...apart,
      ...["sh", root, name, program],
    ]);
    expect(ended).toEqual(done);
    return between.calls;
  }

  it("names the container, and starts the agent at the very end", async () => {
    const calls = await run("template");
    expect(read("named")).toBe("one\n");
    expect(read(guestPaths.hostname)).toBe("one\n");
    expect(calls).toContain("hostname");
    expect(calls.at(-1)).toBe("systemctl --no-block restart berth-agent.service");
    expect(calls.filter((call) => call.startsWith("systemctl"))).toHaveLength(1);
    expect(JSON.parse(read(guestPaths.agentConfig))).toEqual({ ...request.agent, machineId });
    expect(read(guestPaths.sshHostKey)).toBe(ownKey.privateKey);
    expect(read(guestPaths.authorizedKeys)).not.toContain(templateKey.publicKey);
  });

  it("gives the agent's user its configuration, with the ids that the template gave it, and nothing else", async () => {
    await run();
    for (const path of [guestPaths.agentConfig, "etc/berth"]) {
      expect(statSync(join(root, path))).toMatchObject({ uid: 1234, gid: 1235 });
    }
    for (const path of [guestPaths.sshHostKey, guestPaths.authorizedKeys]) {
      expect(statSync(join(root, path))).toMatchObject({ uid: 0, gid: 0 });
    }
  });

  it("has sshd read its key again by a signal, and by systemd where it runs under no known id", async () => {
    const hung = new Promise((resolve) => sshd.once("exit", (_code, signal) => resolve(signal)));
    await run();
    expect(await hung).toBe("SIGHUP");
    // Its id is still there.
    expect(await run()).toContain("systemctl try-reload-or-restart ssh.service");
    rmSync(join(root, "run/sshd.pid"));
    expect(await run()).toContain("systemctl try-reload-or-restart ssh.service");
  });

  it("starts an agent that has its configuration, and touches nothing", async () => {
    await run();
    expect(await run()).toEqual([
      "flock",
      "systemctl try-reload-or-restart ssh.service",
      "systemctl --no-block start berth-agent.service",
    ]);
  });

  describe("writes the container's own name into /etc/hosts, and", () => {
    it.each([
      ["adds it at the end", "127.0.0.1\tlocalhost\n", "127.0.0.1\tlocalhost\n127.0.1.1\tone\n"],
      ["ends a last line that has no end", "127.0.0.1 localhost", "127.0.0.1 localhost\n127.0.1.1\tone\n"],
      ["puts it into the place of a former one", "::1 six\n127.0.1.1 two\n", "::1 six\n127.0.1.1\tone\n"],
      ["makes a file where there is none", undefined, "127.0.1.1\tone\n"],
      ["does not find it in a comment", "10.0.0.7 one.lan # one\n", "10.0.0.7 one.lan # one\n127.0.1.1\tone\n"],
      ["does not find it in another name", "10.0.0.7 one.lan onetwo\n", "10.0.0.7 one.lan onetwo\n127.0.1.1\tone\n"],
    ])("%s", async (_name, before, after) => {
      if (before === undefined) rmSync(join(root, "etc/hosts"));
      else writeFileSync(join(root, "etc/hosts"), before);
      await run();
      expect(read("etc/hosts")).toBe(after);
      expect(statSync(join(root, "etc/hosts")).mode & 0o777).toBe(0o644);
      const { ino } = statSync(join(root, "etc/hosts"));
      await run();
      expect(statSync(join(root, "etc/hosts")).ino).toBe(ino);
    });

    it.each([
      ["# --- BEGIN PVE ---\n10.0.0.7 one.lan one\n# --- END PVE ---\n"],
      ["10.0.0.7\tone\tone.lan # its own\n"],
      ["10.0.0.7 one#its own\n"],
      ["10.0.0.7 one"],
    ])("leaves it to whoever has written %j", async (written) => {
      writeFileSync(join(root, "etc/hosts"), written);
      const { ino } = statSync(join(root, "etc/hosts"));
      await run();
      expect(read("etc/hosts")).toBe(written);
      expect(statSync(join(root, "etc/hosts")).ino).toBe(ino);
    });
  });
});
