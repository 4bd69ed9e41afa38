import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { getSandbox } from "@berth/protocol";
import { type Berth, spawnProcess, startBerth, type TemporaryDirectory, temporaryDirectory } from "@berth/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { environmentOf, runCommand } from "./command.ts";

const controller = fileURLToPath(new URL("../../../controller/dist/main.mjs", import.meta.url));

describe("the command line and a real container", () => {
  let berth: Berth;
  let home: TemporaryDirectory;
  let env: Record<string, string>;

  beforeAll(async () => {
    home = await temporaryDirectory("berth-cli-lxc-");
    env = environmentOf(home.path);
    berth = await startBerth({ command: [process.execPath, controller] });
    const signedIn = await runCommand(["login", berth.url], env, "correct horse battery staple\n");
    expect(signedIn.code, signedIn.stderr).toBe(0);
  });
  afterAll(async () => {
    await berth?.dispose();
    await home.dispose();
  });

  /** What a command writes; it must succeed. */
  async function berthCommand(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await runCommand(args, env);
    expect(code, `${args.join(" ")}: ${stderr}`).toBe(0);
    return stdout;
  }

  it("makes one, works in it, brings files there and back, shows what has changed, and destroys it", async () => {
    expect(await berthCommand("new", "real", "--quiet")).toBe("real\n");
    expect(await berthCommand("ls")).toMatch(/real +ready/);
    const inside = "id -un; hostname; systemctl is-active berth-agent.service";
    expect((await berthCommand("exec", "real", "--", "sh", "-c", inside)).replaceAll("\r", "")).toBe(
      "berth\nreal\nactive\n",
    );
    expect(await berthCommand("ssh", "real", "--", "id -un; hostname")).toBe("berth\nreal\n");

    await berthCommand("ssh-config", "--write");
    const config = join(home.path, ".ssh", "config");
    for (const host of ["real.berth", "jump.real.berth", "direct.real.berth"]) {
      const args = [
        "-F",
        config,
        "-o",
        "BatchMode=yes",
        "-o",
        "GlobalKnownHostsFile=/dev/null",
        host,
        "id -un; hostname",
      ];
      const ssh = spawnProcess({ command: "ssh", args, env });
      expect(await ssh.exited, ssh.stderr).toMatchObject({ code: 0 });
      expect(ssh.stdout, host).toBe("berth\nreal\n");
    }

    const project = join(home.path, "project");
    await mkdir(join(project, "sub"), { recursive: true });
    await writeFile(join(project, "sub/one"), "one\n");
    await berthCommand("sync", "real", project, "--quiet");
    const git = "git init -q && git add . && git -c user.name=n -c user.email=a@b commit -qm first";
    await berthCommand("ssh", "real", "--", `cd /workspace && ${git} && echo two >sub/one`);
    expect(await berthCommand("diff", "real")).toContain("\n-one\n+two\n");
    await berthCommand("cp", "real:/workspace/sub/one", join(home.path, "copied"));
    expect(await readFile(join(home.path, "copied"), "utf8")).toBe("two\n");

    const refused = await runCommand(["rm", "real", "--yes"], env);
    expect(refused.code, "what is not saved anywhere is asked for again").not.toBe(0);
    await berthCommand("rm", "real", "--yes", "--discard");
    await expect(berth.client.call(getSandbox, { params: { id: "real" } })).rejects.toMatchObject({
      code: "not_found",
    });
    expect(await berthCommand("ls")).not.toContain("real");
  });
});
