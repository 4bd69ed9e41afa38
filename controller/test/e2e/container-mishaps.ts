import { execFile } from "node:child_process";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Sandbox } from "@berth/protocol";
import { lxcPrefix } from "@berth/testkit";
import type { Berth } from "./berth.ts";

const run = promisify(execFile);

/** What happens to containers of the LXC backend from outside of Berth, done from this machine. */
export class ContainerMishaps {
  readonly #prefix: string;

  constructor(berth: Berth) {
    this.#prefix = lxcPrefix(join(berth.dataDir, "proxmox"));
  }

  /** From now on no packet passes between the container and anybody else, and nobody is told. */
  async cut({ address, vmid }: Sandbox): Promise<void> {
    const rules = `table inet berth_test_cut_${vmid} {
      chain forward { type filter hook forward priority -300; policy accept; ip saddr ${address} drop; ip daddr ${address} drop; }
    }`;
    await this.#inNetwork("nft", rules);
  }

  /** Undoes a `cut`. */
  async mend({ vmid }: Sandbox): Promise<void> {
    const table = `berth_test_cut_${vmid}`;
    await this.#inNetwork("nft", `table inet ${table} {}\ndelete table inet ${table}`);
  }

  /** Runs a command as root inside. */
  async inside(sandbox: Sandbox, ...argv: string[]): Promise<string> {
    const { stdout } = await run("lxc-attach", [...this.#names(sandbox), "--clear-env", "--", ...argv]);
    return stdout.trim();
  }

  /** The DHCP server has another address for the container from now on; answers it. The container is not told. */
  async reassign({ address }: Sandbox): Promise<string> {
    if (!address) throw new Error("the sandbox has no address");
    // Within the network (its second half is far from those that are given out in order), and no broadcast.
    const [one, two, three, four] = address.split(".").map(Number);
    const other = [one, two, (three ?? 0) + 2, four].join(".");
    const hosts = `/run/berth/${this.#prefix}/hosts`;
    const before = await readFile(hosts, "utf8");
    await writeFile(hosts, before.replaceAll(`,${address}\n`, `,${other}\n`));
    process.kill(await this.#nameServer(), "SIGHUP");
    return other;
  }

  /** The process that serves DHCP to the containers of this Berth. */
  async #nameServer(): Promise<number> {
    for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name))) {
      const command = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
      if (command.startsWith("dnsmasq\0") && command.includes(`--conf-file=/run/berth/${this.#prefix}/`)) {
        return Number(pid);
      }
    }
    throw new Error("no dnsmasq of this Berth's runs");
  }

  #names({ vmid }: Sandbox): string[] {
    return ["-P", "/var/lib/lxc", "-n", `${this.#prefix}-${vmid}`];
  }

  /** In the namespace of the containers' network; `rules` are what nft is to do. */
  async #inNetwork(program: "nft", rules: string): Promise<void> {
    const running = run("nsenter", [`--net=/run/netns/${this.#prefix}`, program, "-f", "-"]);
    running.child.stdin?.end(rules);
    await running;
  }
}
