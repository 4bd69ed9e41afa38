import { chmod } from "node:fs/promises";
import { dirname, join } from "node:path";
import {
  Client,
  createSandbox,
  createTerminal,
  getOperation,
  getSandbox,
  login,
  type Operation,
  type RouteInput,
  type Sandbox,
  type Terminal,
} from "@berth/protocol";
import { eventually } from "../eventually.ts";
import type { ProcessFacts } from "../process/proc.ts";
import { type SpawnedProcess, spawnProcess } from "../process/spawn-process.ts";
import { temporaryDirectory } from "../temporary-directory.ts";
import { type Containers, lxcContainers, processContainers } from "./containers.ts";
import { environmentWithoutSettings } from "./environment.ts";
import { freePorts } from "./free-ports.ts";
import { entrust } from "./undertaking.ts";

const password = "correct horse battery staple";

export interface BerthOptions {
  /** What starts it, with its arguments: Node with the built controller, or `./scripts/start`. */
  command: readonly [string, ...string[]];
  /** More settings, or other ones. */
  env?: Record<string, string>;
  /** Leave the admin without a password, so that a set-up link is printed. */
  withoutPassword?: boolean;
}

/** A whole Berth in a data directory of its own: the built controller, its PostgreSQL and its Proxmox. */
export class Berth {
  readonly dataDir: string;
  readonly url: string;
  readonly env: Record<string, string>;
  readonly #command: readonly [string, ...string[]];
  readonly #dispose: () => Promise<void>;
  /** What the sandboxes of the bundled Proxmox are. */
  readonly backend: "lxc" | "process";
  #process: SpawnedProcess | undefined;
  #token = "";

  constructor(dataDir: string, ports: readonly number[], options: BerthOptions, dispose: () => Promise<void>) {
    const [port, agentPort, sshPort] = ports;
    this.dataDir = dataDir;
    this.url = `http://127.0.0.1:${port}`;
    this.#command = options.command;
    this.#dispose = dispose;
    this.env = {
      ...environmentWithoutSettings(),
      BERTH_DATA_DIR: dataDir,
      BERTH_PORT: String(port),
      BERTH_AGENT_PORT: String(agentPort),
      BERTH_SSH_PORT: String(sshPort),
      BERTH_ISOLATED: "1",
      BERTH_BACKEND: process.env.BERTH_TEST_BACKEND ?? "process",
      ...(options.withoutPassword ? {} : { BERTH_ADMIN_PASSWORD: password }),
      ...options.env,
    };
    this.backend = this.env.BERTH_BACKEND === "lxc" ? "lxc" : "process";
  }

  get #containers(): Containers {
    return this.backend === "lxc" ? lxcContainers : processContainers;
  }

  get process(): SpawnedProcess {
    if (!this.#process) throw new Error("Berth is not started");
    return this.#process;
  }

  get token(): string {
    return this.#token;
  }

  get client(): Client {
    return new Client({ baseUrl: this.url, token: this.#token });
  }

  /** Starts the controller and signs in. */
  async start(): Promise<void> {
    const [command, ...args] = this.#command;
    const logFiles = [join(this.dataDir, "proxmox", "emulator.log")];
    this.#process = spawnProcess({ command, args, env: this.env, logFiles });
    entrust(this.#process.pid, dirname(this.dataDir), this.#process.exited);
    await this.#process.waitForLine("Berth is ready", 60_000);
    if (this.env.BERTH_ADMIN_PASSWORD === undefined || this.#token) return;
    this.#token = (
      await new Client({ baseUrl: this.url }).call(login, { body: { username: "admin", password } })
    ).token;
  }

  /** Kills the controller alone, as a crash would. */
  async crash(): Promise<void> {
    this.process.kill("SIGKILL");
    await this.process.exited;
  }

  /** Stops the controller in order; answers its exit code. */
  async stop(): Promise<number | null> {
    this.process.kill("SIGTERM");
    return (await this.process.exited).code;
  }

  /** Stops what runs, checks that nothing is left of it, and removes the data. */
  async dispose(): Promise<void> {
    if (this.#process) {
      // After a crash the servers run still: a controller takes them over and stops them.
      if (!this.#process.running) await this.start().catch(() => {});
      await this.stop();
    }
    await this.#dispose();
  }

  async create(
    body: RouteInput<typeof createSandbox>["body"] = {},
    idempotencyKey?: string,
  ): Promise<{ sandbox: Sandbox; operation: Operation }> {
    return this.client.call(createSandbox, { body }, idempotencyKey ? { idempotencyKey } : {});
  }

  /** A new sandbox, ready. */
  async readySandbox(body: RouteInput<typeof createSandbox>["body"] = {}): Promise<Sandbox> {
    const { sandbox, operation } = await this.create(body);
    await this.ended(operation.id);
    return this.client.call(getSandbox, { params: { id: sandbox.id } });
  }

  /** The operation once it has ended; rejects if it has not succeeded. */
  async ended(operationId: string): Promise<Operation> {
    const operation = await eventually(
      async () => {
        const seen = await this.client.call(getOperation, { params: { id: operationId } });
        return seen.finishedAt ? seen : undefined;
      },
      { timeoutMs: 60_000, intervalMs: 50, what: `the end of ${operationId}` },
    );
    if (operation.state !== "succeeded")
      throw new Error(`${operation.kind} ${operation.state}: ${JSON.stringify(operation.error)}`);
    return operation;
  }

  openTerminal(sandboxId: string, body: RouteInput<typeof createTerminal>["body"]): Promise<Terminal> {
    return this.client.call(createTerminal, { params: { id: sandboxId }, body });
  }

  /** The folder of a container of the bundled Proxmox, gone when the container is. */
  folderOf(sandbox: Pick<Sandbox, "vmid">): string {
    return join(this.dataDir, "proxmox", "containers", String(sandbox.vmid));
  }

  /** The root folder of a sandbox's container as this machine sees it; with real containers, of one that runs. */
  rootOf(sandbox: Pick<Sandbox, "vmid">): Promise<string> {
    return this.#containers.root(this.folderOf(sandbox));
  }

  /** A path below its root as the sandbox's own programs see it. */
  pathInside(sandbox: Pick<Sandbox, "vmid">, path: string): string {
    return this.#containers.pathInside(this.folderOf(sandbox), path);
  }

  processesOf(sandbox: Pick<Sandbox, "vmid">): Promise<ProcessFacts[]> {
    return this.#containers.processes(this.folderOf(sandbox));
  }
}

/** A Berth that is started; dispose it. */
export async function startBerth(options: BerthOptions): Promise<Berth> {
  const berth = await prepareBerth(options);
  await berth.start();
  return berth;
}

/** A Berth with a data directory and ports, not started. */
export async function prepareBerth(options: BerthOptions): Promise<Berth> {
  const folder = await temporaryDirectory("berth-e2e-");
  // The embedded PostgreSQL of a root's Berth runs as a user of its own, which has to pass through.
  await chmod(folder.path, 0o711);
  const ports = await freePorts(3);
  return new Berth(join(folder.path, "data"), ports, options, () => folder.dispose());
}
