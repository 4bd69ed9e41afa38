import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface, type Interface } from "node:readline";
import { Scope } from "@berth/base";
import { CommandFailed, run } from "../src/backend/lxc/network/commands.ts";

/** Addresses of the lab, which are documentation's (RFC 5737) and lead nowhere. */
export const lab = {
  machine: "203.0.113.2",
  internet: "203.0.113.1",
  site: "198.51.100.80",
  siteName: "site.test",
} as const;

export function fixture(name: string): string {
  return join(import.meta.dirname, "fixtures", name);
}

/** A network namespace of a test. Its processes see everything else as it is. */
export class Namespace {
  readonly name: string;

  private constructor(name: string) {
    this.name = name;
  }

  static async create(scope: Scope): Promise<Namespace> {
    const namespace = new Namespace(`lab${randomBytes(4).toString("hex")}`);
    await run(["ip", "netns", "add", namespace.name]);
    scope.add(async () => void (await run(["ip", "netns", "del", namespace.name])));
    await namespace.ip("link set dev lo up");
    return namespace;
  }

  argv(argv: readonly string[]): readonly string[] {
    return ["nsenter", `--net=/run/netns/${this.name}`, "--", ...argv];
  }

  run(argv: readonly string[], input = ""): Promise<string> {
    return run(this.argv(argv), input);
  }

  /** Lines for `ip -batch`. */
  async ip(...lines: string[]): Promise<void> {
    await this.run(["ip", "-batch", "-"], `${lines.join("\n")}\n`);
  }

  /** What a server answers on a port; undefined when there is no connection in this time. */
  async ask(address: string, port: number, seconds = 10): Promise<string | undefined> {
    const script = `exec 3<>/dev/tcp/${address}/${port} && read -r -u 3 line && echo "$line"`;
    try {
      return (await this.run(["timeout", String(seconds), "bash", "-c", script])).trim();
    } catch (error) {
      if (error instanceof CommandFailed) return undefined;
      throw error;
    }
  }

  /** Servers that tell everyone their own address. */
  async serve(scope: Scope, ports: readonly number[], on = "0.0.0.0"): Promise<void> {
    const argv = this.argv([process.execPath, fixture("tcp-servers.ts"), on, ...ports.map(String)]);
    const child = start(scope, argv);
    if (child.stdout) await once(child.stdout, "data");
  }
}

/** Starts a process that ends with the scope. */
export function start(scope: Scope, argv: readonly string[]): ChildProcess {
  const [command = "", ...args] = argv;
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
  child.stdin?.on("error", () => {});
  const closed = new Promise<void>((resolve) => child.once("close", () => resolve()));
  scope.add(async () => {
    child.kill("SIGKILL");
    await closed;
  });
  return child;
}

/** An emulator's process in the lab, which has a network open. */
export class Opener {
  readonly child: ChildProcess;
  readonly #lines: Interface;
  readonly #answers: AsyncIterator<string>;
  hostAddress = "";
  reports: readonly string[] = [];

  constructor(child: ChildProcess) {
    this.child = child;
    if (!child.stdout) throw new Error("the opener's output is not piped");
    this.#lines = createInterface(child.stdout);
    this.#answers = this.#lines[Symbol.asyncIterator]();
  }

  async opened(): Promise<this> {
    const { hostAddress, reports } = JSON.parse(await this.#answer());
    this.hostAddress = hostAddress;
    this.reports = reports;
    return this;
  }

  async call(request: Record<string, unknown>): Promise<unknown> {
    this.child.stdin?.write(`${JSON.stringify(request)}\n`);
    return JSON.parse(await this.#answer());
  }

  /** The way of kernel panics and power cuts. */
  async kill(): Promise<void> {
    this.child.kill("SIGKILL");
    if (this.child.exitCode === null && this.child.signalCode === null) await once(this.child, "exit");
  }

  async dispose(): Promise<void> {
    await this.call({ call: "dispose" });
    await this.kill();
  }

  async #answer(): Promise<string> {
    const { value, done } = await this.#answers.next();
    if (done) throw new Error("the opener ended");
    return value;
  }
}

/**
 * A machine with a neighbour that plays the whole outside: namespaces of their own, from which no packet gets anywhere.
 * The machine's resolver is its neighbour.
 */
export class Lab {
  readonly scope: Scope;
  readonly machine: Namespace;
  readonly folder: string;

  private constructor(scope: Scope, machine: Namespace, folder: string) {
    this.scope = scope;
    this.machine = machine;
    this.folder = folder;
  }

  static async create(scope: Scope): Promise<Lab> {
    if (process.getuid?.() !== 0) throw new Error("these tests make network namespaces: run them as root");
    const folder = await mkdtemp(join(tmpdir(), "berth-lab-"));
    scope.add(() => rm(folder, { recursive: true, force: true }));
    const machine = await Namespace.create(scope);
    const internet = await Namespace.create(scope);
    await internet.ip(
      `link add name wan0 type veth peer name eth0 netns ${machine.name}`,
      `address add ${lab.internet}/24 dev wan0`,
      `address add ${lab.site}/32 dev lo`,
      "link set dev wan0 up",
    );
    await machine.ip(
      `address add ${lab.machine}/24 dev eth0`,
      "link set dev eth0 up",
      `route add default via ${lab.internet}`,
    );
    // A new namespace begins with the setting of the real machine.
    await machine.run(["sh", "-c", "echo 0 > /proc/sys/net/ipv4/ip_forward"]);
    await writeFile(join(folder, "resolv.conf"), `nameserver ${lab.internet}\n`);
    await internet.serve(scope, [80]);
    const names = ["--no-resolv", "--no-hosts", "--pid-file=", `--address=/${lab.siteName}/${lab.site}`, "--user=root"];
    start(scope, internet.argv(["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", ...names]));
    return new Lab(scope, machine, folder);
  }

  /**
   * The words that open a network on the lab's machine, with its resolver; all mounts but that are the real ones. Programs
   * are looked for in `path`.
   */
  opening(dataDir: string, mode: "isolated" | "open", path = process.env.PATH): readonly string[] {
    const own = "mount --make-private / && { mount --make-private /run 2>/dev/null || :; }";
    const script = `${own} && mount --bind ${join(this.folder, "resolv.conf")} /etc/resolv.conf && exec "$@"`;
    const main = ["env", `PATH=${path}`, process.execPath, fixture("lxc-network-main.ts"), dataDir, mode];
    return this.machine.argv(["unshare", "--mount", "--propagation", "unchanged", "sh", "-c", script, "sh", ...main]);
  }

  dataDir(name: string): string {
    return join(this.folder, name);
  }

  async open(name: string, mode: "isolated" | "open" = "isolated", scope = this.scope): Promise<Opener> {
    await mkdir(this.dataDir(name), { recursive: true });
    return await new Opener(start(scope, this.opening(this.dataDir(name), mode))).opened();
  }

  /** Takes a network down, whatever there is of it and whoever made it. */
  async takeDown(name: string): Promise<void> {
    const scope = new Scope();
    await (await this.open(name, "isolated", scope)).dispose();
    await scope.dispose();
  }
}
